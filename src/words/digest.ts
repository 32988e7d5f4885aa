/** Digests as branded types. */
import { type Hash, hash as hashOf } from 'node:crypto';
import { parseSha256, type Sha256 } from './ids.ts';

/** The sha256 of a text, or of bytes in memory; half the time of a hash object, for small ones. */
export function sha256OfBytes(bytes: Uint8Array | string): Sha256 {
  const digest = parseSha256(hashOf('sha256', bytes));
  if (digest === undefined) throw new Error('not a sha256 hash');
  return digest;
}

/** The digest of a finished sha256. */
export function sha256Of(hash: Hash): Sha256 {
  const digest = parseSha256(hash.digest('hex'));
  if (digest === undefined) throw new Error('not a sha256 hash');
  return digest;
}
