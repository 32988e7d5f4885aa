/**
 * Addresses of bytes that work for a while and without a token: clients follow a redirect and leave their token behind.
 * An address is a secret, as those of a blobstore are.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { parseJson } from '../../../words/json.ts';

const LIFE_MS = 15 * 60_000;

const Grant = z.strictObject({
  kind: z.enum(['package', 'droplet']),
  guid: z.string(),
  until: z.int(),
});
export type Grant = Pick<z.infer<typeof Grant>, 'kind' | 'guid'>;

/** Signs with a key of this process: after a restart clients ask again. */
export class Downloads {
  readonly #key = randomBytes(32);

  path(grant: Grant): string {
    const text = Buffer.from(JSON.stringify({ ...grant, until: Date.now() + LIFE_MS })).toString('base64url');
    return `/stager/v1/downloads/${text}.${this.#sign(text)}`;
  }

  /** Undefined for what we did not sign, or not lately. */
  read(token: string): Grant | undefined {
    const [text = '', signature = ''] = token.split('.', 2);
    const expected = Buffer.from(this.#sign(text));
    const given = Buffer.from(signature);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    const parsed = Grant.safeParse(parseJson(Buffer.from(text, 'base64url').toString()));
    return parsed.success && parsed.data.until > Date.now() ? parsed.data : undefined;
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}
