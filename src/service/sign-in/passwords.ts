/**
 * Passwords at rest: scrypt of node's own OpenSSL, with OWASP's cost for 32 MiB. `scrypt$N$r$p$salt$hash`, so that the
 * cost can grow without asking anybody for a new password.
 */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import pLimit from 'p-limit';

const COST = { N: 2 ** 15, r: 8, p: 3 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** A guess costs 32 MiB and 0.2 s of a core: only so many at once, whoever makes them. */
const AT_ONCE = 2;
const limited = pLimit(AT_ONCE);
/** Of nobody: a name that is unknown takes as long as one that is known. */
const DUMMY = `scrypt$${COST.N}$${COST.r}$${COST.p}$${'A'.repeat(22)}$${'A'.repeat(43)}`;

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, COST);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/** @param stored undefined for a user that does not exist: false, after the same time. */
export async function isPassword(password: string, stored: string | null | undefined): Promise<boolean> {
  const [kind, N, r, p, salt = '', hash = ''] = (stored ?? DUMMY).split('$');
  if (kind !== 'scrypt') return false;
  const wanted = Buffer.from(hash, 'base64url');
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  const derived = await derive(password, Buffer.from(salt, 'base64url'), cost);
  const same = derived.length === wanted.length && timingSafeEqual(derived, wanted);
  return same && typeof stored === 'string';
}

function derive(password: string, salt: Buffer, cost: { N: number; r: number; p: number }): Promise<Buffer> {
  const options: ScryptOptions = { ...cost, maxmem: 256 * 1024 * 1024 };
  return limited(() => {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    scrypt(password.normalize('NFC'), salt, HASH_BYTES, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
    return promise;
  });
}
