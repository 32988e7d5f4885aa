/** Both digests of a stream in one pass. */

import { createHash, type Hash, hash as hashOf } from 'node:crypto';
import { sha256Of, sha256OfBytes } from '../../../words/digest.ts';
import { parseSha1, type Sha1, type Sha256 } from '../../../words/ids.ts';

/** Size and digests of some bytes. */
export interface Digests {
  readonly sizeBytes: number;
  readonly sha1: Sha1;
  readonly sha256: Sha256;
}

/** Takes bytes as they pass; {@link Digester.end} may be called once. */
export class Digester {
  readonly #sha1 = createHash('sha1');
  readonly #sha256 = createHash('sha256');
  sizeBytes = 0;

  update(chunk: Uint8Array): void {
    this.#sha1.update(chunk);
    this.#sha256.update(chunk);
    this.sizeBytes += chunk.byteLength;
  }

  end(): Digests {
    return { sizeBytes: this.sizeBytes, sha1: sha1Of(this.#sha1), sha256: sha256Of(this.#sha256) };
  }
}

/** Digests of bytes in memory. */
export function digestsOf(bytes: Uint8Array): Digests {
  const sha1 = parseSha1(hashOf('sha1', bytes));
  if (sha1 === undefined) throw new Error('not a sha1 hash');
  return { sizeBytes: bytes.byteLength, sha1, sha256: sha256OfBytes(bytes) };
}

/** The digest of a finished sha1. */
function sha1Of(hash: Hash): Sha1 {
  const digest = parseSha1(hash.digest('hex'));
  if (digest === undefined) throw new Error('not a sha1 hash');
  return digest;
}
