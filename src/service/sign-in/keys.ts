/**
 * The keys that sign tokens. They are in the database, so that every server of one installation accepts the tokens of
 * the others and a restart logs nobody out. A new one is made when the newest is old; an old one verifies until every
 * token that it signed has expired.
 */
import { randomUUID } from 'node:crypto';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, importJWK, type JWK } from 'jose';
import { sql } from 'kysely';
import { z } from 'zod';
import { json } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';

export const ALGORITHM = 'ES256';
const ROTATE_AFTER_DAYS = 90;
/** Longer than any token lives. */
const FORGET_AFTER_DAYS = ROTATE_AFTER_DAYS + 2;
/** Milliseconds. A key that another server made is found when a token names it, but not more often than this. */
const RELOAD_AFTER_MS = 5000;

const Jwk = z.object({ kty: z.string(), crv: z.string(), x: z.string(), y: z.string(), d: z.string() });

interface SigningKey {
  readonly kid: string;
  readonly sign: CryptoKey;
  readonly verify: CryptoKey;
  readonly publicJwk: JWK;
}

/** See the top of the file. */
export class SigningKeys {
  readonly #queries: Queries;
  #keys: readonly SigningKey[] = [];
  #loadedAt = Number.NEGATIVE_INFINITY;

  constructor(queries: Queries) {
    this.#queries = queries;
  }

  /** Makes a key when none is young enough, and forgets those that are no longer needed. Call it at start and daily. */
  async rotate(): Promise<void> {
    await this.#queries
      .deleteFrom('signing_keys')
      .where('created_at', '<', sql<Date>`now() - make_interval(days => ${FORGET_AFTER_DAYS})`)
      .execute();
    const young = await this.#queries
      .selectFrom('signing_keys')
      .select('kid')
      .where('created_at', '>', sql<Date>`now() - make_interval(days => ${ROTATE_AFTER_DAYS})`)
      .executeTakeFirst();
    if (young === undefined) await this.add();
    await this.#load();
  }

  /** Makes a key that signs from now on, here; other servers find it when a token names it, or within the hour. */
  async add(): Promise<string> {
    const kid = `key-${randomUUID()}`;
    const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
    const jwk = await exportJWK(privateKey);
    await this.#queries
      .insertInto('signing_keys')
      .values({ kid, private_jwk: json(jwk) })
      .execute();
    return kid;
  }

  /** The newest: it signs. */
  async current(): Promise<SigningKey> {
    if (this.#keys.length === 0) await this.rotate();
    const [newest] = this.#keys;
    if (newest === undefined) throw new Error('no signing key');
    return newest;
  }

  /** The key of that name; looked for again in the database when it is unknown. */
  async find(kid: string): Promise<SigningKey | undefined> {
    const known = this.#keys.find((key) => key.kid === kid);
    if (known !== undefined || performance.now() - this.#loadedAt < RELOAD_AFTER_MS) return known;
    await this.#load();
    return this.#keys.find((key) => key.kid === kid);
  }

  /** What `/token_keys` shows. */
  async published(): Promise<readonly PublishedKey[]> {
    await this.current();
    return await Promise.all(this.#keys.map(published));
  }

  async #load(): Promise<void> {
    const rows = await this.#queries
      .selectFrom('signing_keys')
      .select(['kid', 'private_jwk'])
      .orderBy('created_at', 'desc')
      .execute();
    this.#keys = await Promise.all(
      rows.map(({ kid, private_jwk }) => importKey(kid, Jwk.parse(private_jwk))),
    );
    this.#loadedAt = performance.now();
  }
}

/** A public key in the words of UAA. */
export interface PublishedKey {
  readonly kid: string;
  readonly kty: string;
  readonly alg: string;
  readonly use: 'sig';
  readonly crv?: string | undefined;
  readonly x?: string | undefined;
  readonly y?: string | undefined;
  /** PEM. */
  readonly value: string;
}

async function published({ kid, publicJwk, verify }: SigningKey): Promise<PublishedKey> {
  const { kty = 'EC', crv, x, y } = publicJwk;
  return { kid, kty, alg: ALGORITHM, use: 'sig', crv, x, y, value: await exportSPKI(verify) };
}

async function importKey(kid: string, jwk: z.infer<typeof Jwk>): Promise<SigningKey> {
  const { d: _, ...publicJwk } = jwk;
  const [sign, verify] = await Promise.all([
    importJWK(jwk, ALGORITHM),
    importJWK(publicJwk, ALGORITHM, { extractable: true }),
  ]);
  if (sign instanceof Uint8Array || verify instanceof Uint8Array)
    throw new Error('a signing key is symmetric');
  return { kid, sign, verify, publicJwk };
}
