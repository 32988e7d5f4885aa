/** Digests of bytes on their way to somewhere else. */
import type { Hash } from 'node:crypto';
import { Transform } from 'node:stream';

/** Hands on what it gets, and adds it to `hash`. */
export function hashing(hash: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}
