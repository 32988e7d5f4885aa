/** The digest of a whole file, which is read once and never held in memory. */

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { sha256Of } from '../../words/digest.ts';
import type { Sha256 } from '../../words/ids.ts';

/** The sha256 of a file. */
export async function fileDigest(path: string, signal?: AbortSignal): Promise<Sha256> {
  return sha256Of(await hashOf(path, 'sha256', signal));
}

/** A checksum of a file by an algorithm that somebody else chose; hexadecimal. */
export async function fileChecksum(path: string, algorithm: string, signal: AbortSignal): Promise<string> {
  return (await hashOf(path, algorithm, signal)).digest('hex');
}

async function hashOf(path: string, algorithm: string, signal: AbortSignal | undefined): Promise<Hash> {
  const hash = createHash(algorithm);
  await pipeline(createReadStream(path), hash, { ...(signal !== undefined && { signal }) });
  return hash;
}
