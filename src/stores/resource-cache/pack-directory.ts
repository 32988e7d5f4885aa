/** The directory of a pack's contents: only read when an index is rebuilt. */

import { buffer } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { parseSha1, parseSha256 } from '../../words/ids.ts';
import type { BlobKey } from '../blobs/port/blob-store.ts';
import type { Digests } from '../blobs/port/digests.ts';
import { corrupt } from '../blobs/port/verify.ts';
import type { Resource } from './format.ts';
import { packKey, SINGLE_TYPE } from './layout.ts';
import type { StoreAccess } from './segment.ts';

/** Bytes of a content in a directory. */
export const DIRECTORY_BYTES = 58;
const FOOT_BYTES = 16;
const MAGIC = 'STGRPCK1';

/** The directory at the end of a pack. */
export function directoryOf(resources: readonly Digests[]): Buffer {
  const directory = Buffer.allocUnsafe(resources.length * DIRECTORY_BYTES);
  resources.forEach(({ sha1, sha256, sizeBytes }, n) => {
    directory.write(sha1, n * DIRECTORY_BYTES, 20, 'hex');
    directory.write(sha256, n * DIRECTORY_BYTES + 20, 32, 'hex');
    directory.writeUIntLE(sizeBytes, n * DIRECTORY_BYTES + 52, 6);
  });
  const foot = Buffer.alloc(FOOT_BYTES);
  foot.write(MAGIC, 0, 'latin1');
  foot.writeUInt32LE(resources.length, 8);
  foot.writeUInt32LE(crc32(directory), 12);
  return Buffer.concat([directory, foot]);
}

/** What is in a pack. `isVerified`: the content was read and is what it is listed as. */
export interface PackContents {
  readonly contents: readonly Resource[];
  readonly isVerified: boolean;
}

/**
 * Reads what is in a pack. Whether it is one large content or many small ones is told by its content type, which the
 * store keeps, and not by its bytes: an app may have a file that looks like a pack.
 *
 * @throws StagerError BLOB_CORRUPT when it has no whole directory, BLOB_NOT_FOUND.
 */
export async function readDirectory(
  io: StoreAccess & { readonly tenant: string },
  pack: { readonly id: string; readonly sizeBytes: number },
): Promise<PackContents> {
  const key = packKey(io.tenant, pack.id);
  const type = (await io.store.stat(key, { signal: io.signal }))?.contentType;
  if (type !== SINGLE_TYPE) return { contents: await readEntries(io, { ...pack, key }), isVerified: false };
  const { info, body } = await io.store.get(key, { signal: io.signal });
  body.resume();
  await finished(body);
  const { sha1, sha256, sizeBytes } = info;
  return { contents: [{ sha1, sha256, sizeBytes, pack: pack.id, offset: 0 }], isVerified: true };
}

async function readEntries(
  io: StoreAccess,
  pack: { readonly id: string; readonly sizeBytes: number; readonly key: BlobKey },
): Promise<readonly Resource[]> {
  const { id, sizeBytes, key } = pack;
  const damaged = (what: string) => corrupt(io.store.location(key), what);
  const last = (bytes: number): Promise<Buffer> =>
    buffer(io.store.readRange(key, { signal: io.signal, start: sizeBytes - bytes, end: sizeBytes - 1 }));
  if (sizeBytes < FOOT_BYTES) throw damaged('it is too short');
  const foot = await last(FOOT_BYTES);
  const bytes = foot.readUInt32LE(8) * DIRECTORY_BYTES + FOOT_BYTES;
  if (foot.toString('latin1', 0, 8) !== MAGIC || bytes > sizeBytes) throw damaged('it has no directory');
  const directory = (await last(bytes)).subarray(0, -FOOT_BYTES);
  if (crc32(directory) !== foot.readUInt32LE(12)) throw damaged('the checksum of its directory is wrong');
  const contents: Resource[] = [];
  let offset = 0;
  for (let at = 0; at < directory.length; at += DIRECTORY_BYTES) {
    const sha1 = parseSha1(directory.toString('hex', at, at + 20));
    const sha256 = parseSha256(directory.toString('hex', at + 20, at + 52));
    const length = directory.readUIntLE(at + 52, 6);
    if (sha1 === undefined || sha256 === undefined) throw damaged('its directory is not valid');
    contents.push({ sha1, sha256, sizeBytes: length, pack: id, offset });
    offset += length;
  }
  if (offset + bytes !== sizeBytes) throw damaged('its lengths contradict each other');
  return contents;
}
