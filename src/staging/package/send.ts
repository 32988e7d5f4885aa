/** The client's side of an upload: only contents that the pool lacks travel, each once. */
import type { Digests } from '../../stores/blobs/port/digests.ts';
import { changedWhilePacked, type NewResource } from '../../stores/resource-cache/pack-writer.ts';
import type { Pool } from '../../stores/resource-cache/pool.ts';
import { StagerError } from '../../words/errors.ts';
import type { Source } from '../source/entry.ts';
import type { CreateOptions } from './create.ts';
import { type HostFile, openLarge, readIntoScratch, SCRATCH_BYTES, SMALL_BYTES } from './fingerprint.ts';
import type { ListedFile } from './listing.ts';

/** What is to be sent, where it is not there yet. */
export interface SendInput {
  readonly pool: Pool;
  readonly source: Source;
  readonly files: readonly ListedFile[];
  /** With a path of the package it gives the host's; undefined for archives. */
  readonly hostRoot: string | undefined;
}

/** What was sent. */
export interface SentFiles {
  /** Files that were not known, equal ones counted each. */
  readonly files: number;
  /** Bytes of those files. */
  readonly contentBytes: number;
  /** Bytes that travelled: packs. */
  readonly bytes: number;
}

/** Matches all files at once, then stores what is missing in path order. */
export async function sendMissing(input: SendInput, options: CreateOptions): Promise<SentFiles> {
  const { pool, files } = input;
  const { signal, onProgress } = options;
  const known = await pool.match(files, { signal });
  const missing = files.filter((_, n) => known[n] !== true);
  const first = new Map<string, ListedFile>();
  for (const file of missing) if (!first.has(file.sha256)) first.set(file.sha256, file);
  const wanted = new Map([...first.values()].map((file) => [file.path.toString(), file]));
  const totalBytes = [...wanted.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const resources =
    input.hostRoot === undefined ? fromArchive(wanted, input, signal) : fromHost(wanted, input.hostRoot);
  const { bytes } = await pool.add(resources, {
    signal,
    onBytes: (sent) => onProgress?.({ step: 'send', bytes: sent, totalBytes }),
  });
  return {
    files: missing.length,
    contentBytes: missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    bytes,
  };
}

function* fromHost(wanted: ReadonlyMap<string, ListedFile>, root: string): Generator<NewResource> {
  const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  for (const [path, file] of wanted) {
    const hostPath = `${root}${path}`;
    const small = file.sizeBytes <= SMALL_BYTES;
    yield {
      ...digestsOf(file),
      path,
      hostPath,
      open: async () =>
        small ? [readIntoScratch({ ...file, hostPath }, scratch)] : readLarge({ hostPath, path }, scratch),
    };
  }
}

/** Reads into `scratch`, again and again: a stream would leave a new buffer for each piece to the collector. */
async function* readLarge(
  file: Pick<HostFile, 'hostPath' | 'path'>,
  scratch: Buffer,
): AsyncGenerator<Uint8Array, void, void> {
  const handle = await openLarge(file);
  try {
    for (;;) {
      const { bytesRead } = await handle.read(scratch, 0, scratch.length, null);
      if (bytesRead === 0) return;
      yield scratch.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** An archive is read a second time, in its own order; only wanted entries are opened. */
async function* fromArchive(
  wanted: ReadonlyMap<string, ListedFile>,
  { source }: SendInput,
  signal: AbortSignal,
): AsyncGenerator<NewResource> {
  if (wanted.size === 0) return;
  const open = new Map(wanted);
  for await (const entry of source.entries({ signal })) {
    const file = open.get(entry.path);
    if (entry.kind !== 'file' || file === undefined) continue;
    open.delete(entry.path);
    if (entry.sizeBytes !== file.sizeBytes || entry.open === undefined) throw changedWhilePacked(entry.path);
    yield { ...digestsOf(file), path: entry.path, open: entry.open };
    if (open.size === 0) return;
  }
  const [path] = open.keys();
  throw new StagerError(
    'SOURCE_CHANGED',
    `${path} vanished from ${source.description} while it was packaged`,
    {
      next: 'Make sure that nothing writes to the archive while it is packaged, and try again.',
      details: { path },
    },
  );
}

const digestsOf = ({ sha1, sha256, sizeBytes }: ListedFile): Digests => ({ sha1, sha256, sizeBytes });
