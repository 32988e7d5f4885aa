/** Reads a tar, compressed or not, into a {@link StackWriter}. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { PassThrough, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { errnoOf, isStagerError, StagerError } from '../../words/errors.ts';
import { hashing } from '../host/hashing.ts';
import type { StackEntry, StackWriter } from './stack-writer.ts';

/** Digests of what was read. */
export interface TarDigests {
  /** Of the file as it is. */
  readonly sha256: string;
  /** Of the tar inside. */
  readonly diffId: string;
}

/**
 * Unpacks the tar at `path`, whatever its name says.
 *
 * @throws StagerError STACK_INVALID when it is not a tar, damaged or unsafe.
 */
export async function unpackTar(path: string, into: StackWriter, signal: AbortSignal): Promise<TarDigests> {
  const whole = createHash('sha256');
  const inner = createHash('sha256');
  const unpacker = extract();
  const stages = [
    createReadStream(path),
    hashing(whole),
    await decoder(path),
    hashing(inner),
    unpacker,
  ] as const;
  const read = pipeline(...stages, { signal });
  // Awaited below; without this a failure while an entry is being written would go unheard.
  read.catch(() => undefined);
  try {
    for await (const entry of unpacker) {
      const { header } = entry;
      await into.write(treeEntry(header, entry));
      entry.resume();
    }
    await read;
  } catch (error) {
    unpacker.destroy();
    await read.catch(() => undefined);
    if (isStagerError(error)) throw error;
    signal.throwIfAborted();
    const errno = errnoOf(error);
    // Not the tar's fault.
    if (errno === 'ENOSPC' || errno === 'EDQUOT' || errno === 'EFBIG') throw error;
    throw new StagerError('STACK_INVALID', `${path} can't be read as a tar: ${String(error)}`, {
      next: 'Give a .tar, .tar.gz or .tar.zst of a root file system, an OCI layout, or the output of `docker save`.',
      details: { path },
      cause: error,
    });
  }
  return { sha256: whole.digest('hex'), diffId: inner.digest('hex') };
}

const KINDS: Readonly<Record<string, StackEntry['kind'] | undefined>> = {
  file: 'file',
  'contiguous-file': 'file',
  directory: 'directory',
  symlink: 'symlink',
  link: 'hardlink',
};

function treeEntry(header: Header, content: AsyncIterable<unknown>): StackEntry {
  return {
    path: header.name,
    kind: KINDS[header.type] ?? 'special',
    mode: header.mode,
    target: header.linkname ?? '',
    content: buffers(content),
  };
}

async function* buffers(content: AsyncIterable<unknown>): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of content) {
    if (Buffer.isBuffer(chunk)) yield chunk;
  }
}

/** Told by the first bytes, not by the name. */
async function decoder(path: string): Promise<Transform> {
  const head = Buffer.alloc(6);
  const file = await open(path);
  try {
    await file.read(head, 0, head.length, 0);
  } finally {
    await file.close();
  }
  const magic = head.toString('hex');
  if (magic.startsWith('1f8b')) return createGunzip();
  if (magic.startsWith('28b52ffd')) return createZstdDecompress();
  const unknown = magic.startsWith('fd377a585a00') ? 'xz' : magic.startsWith('425a68') ? 'bzip2' : undefined;
  if (unknown === undefined) return new PassThrough();
  throw new StagerError('STACK_INVALID', `${path} is compressed with ${unknown}, which is not supported`, {
    next: `Unpack it first (${unknown} -d), or compress it with gzip or zstd.`,
    details: { path },
  });
}
