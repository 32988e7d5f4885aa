/** Writes a blob's bytes to a temporary file and hashes them on the way. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, copyFile, type FileHandle, link, mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { cancelled, errnoOf } from '../../../words/errors.ts';
import type { ProbeReport } from '../port/blob-store.ts';
import { Digester, type Digests } from '../port/digests.ts';
import { TEMP } from './layout.ts';
import { ownerName } from './owner.ts';

/** Bytes per write(2): larger ones gain nothing, smaller ones cost system calls. */
const WRITE_BYTES = 1 << 20;
/**
 * Written bytes after which write-back is started in the background. It turns the wait of the last fsync from the
 * whole file into its tail: 150 MB took 0.24 s without and 0.07 s with it.
 */
const SYNC_BYTES = 32 << 20;

/** A file that is being written, and its removal. */
export interface TempFile {
  readonly path: string;
  readonly handle: FileHandle;
  /** Closes it, and removes it when it was not renamed away. */
  dispose(): Promise<void>;
}

/** A sweep of another machine may remove an empty directory just before it is used; more often in a row it is not a race. */
const RACES = 20;

/** Makes something new at a unique path below this process's directory of temporary files, which is made. */
export async function makeTemp<T>(root: string, make: (path: string) => Promise<T>): Promise<T> {
  const directory = join(root, TEMP, ownerName());
  for (let race = 0; ; race++) {
    try {
      await makeAll(directory);
      return await make(join(directory, randomBytes(8).toString('hex')));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || race === RACES) throw error;
    }
  }
}

/** mkdir -p that tells why it can't; Node's own says ENOENT on a file system that is read-only. */
export async function makeAll(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return;
    if (errno !== 'ENOENT') throw error;
    await makeAll(dirname(path));
    await mkdir(path, { recursive: true, mode: 0o700 });
  }
}

/**
 * Removes a temporary file. The owner's empty directory stays until the process is dead: removing it would race with
 * the process's other writers.
 */
export async function dropTemp(path: string): Promise<void> {
  // What can't be removed is swept when this process has ended; the failure before it is what counts.
  await rm(path, { force: true }).catch(() => undefined);
}

/** Opens a new temporary file. */
export async function openTemp(root: string): Promise<TempFile> {
  return makeTemp(root, async (path) => {
    const handle = await open(path, 'wx', 0o600);
    return { path, handle, dispose: () => handle.close().finally(() => dropTemp(path)) };
  });
}

/**
 * Writes `body` to `handle` and syncs it. Hashing runs while the last block is being written; at most two blocks
 * are held.
 *
 * @throws StagerError CANCELLED; whatever the body or the system throws.
 */
export async function writeHashed(body: Readable, handle: FileHandle, signal: AbortSignal): Promise<Digests> {
  const digester = new Digester();
  const writer = new BlockWriter(handle);
  try {
    if (signal.aborted) throw cancelled(signal);
    for await (const chunk of addAbortSignal(signal, body)) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      await writer.push(bytes);
      digester.update(bytes);
    }
    await writer.end();
  } catch (error) {
    body.destroy();
    await writer.settle();
    throw signal.aborted ? cancelled(signal) : error;
  }
  await handle.sync();
  return digester.end();
}

/** Gathers chunks to blocks and keeps one block in flight. */
class BlockWriter {
  readonly #handle: FileHandle;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();
  #unsynced = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async push(chunk: Uint8Array): Promise<void> {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.byteLength;
    if (this.#pendingBytes >= WRITE_BYTES) await this.#flush();
  }

  async end(): Promise<void> {
    await this.#flush();
    await this.#writing;
    await this.#syncing;
  }

  /** Waits until nothing uses the handle, whatever the outcome. */
  async settle(): Promise<void> {
    await Promise.allSettled([this.#writing, this.#syncing]);
  }

  async #flush(): Promise<void> {
    const blocks = this.#pending;
    const bytes = this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#writing;
    this.#writing = writeAll(this.#handle, blocks);
    // The rejection is taken by the next await; without this the process would end in between.
    this.#writing.catch(() => undefined);
    this.#unsynced += bytes;
    if (this.#unsynced < SYNC_BYTES) return;
    this.#unsynced = 0;
    await this.#syncing;
    this.#syncing = this.#writing.then(() => this.#handle.datasync());
    this.#syncing.catch(() => undefined);
  }
}

/** writev(2) may write less than asked. */
async function writeAll(handle: FileHandle, blocks: readonly Uint8Array[]): Promise<void> {
  let rest = blocks.filter((block) => block.byteLength > 0);
  while (rest.length > 0) {
    const batch = rest.slice(0, 512);
    let { bytesWritten } = await handle.writev(batch);
    let whole = 0;
    for (const block of batch) {
      if (bytesWritten < block.byteLength) break;
      bytesWritten -= block.byteLength;
      whole++;
    }
    const partial = rest[whole];
    rest = rest.slice(partial !== undefined && bytesWritten > 0 ? whole + 1 : whole);
    if (partial !== undefined && bytesWritten > 0) rest = [partial.subarray(bytesWritten), ...rest];
  }
}

/** A temporary file that shares its blocks with `path`, or undefined where that can't be. */
export async function shareFile(
  root: string,
  path: string,
  { immutable }: { readonly immutable: boolean },
): Promise<string | undefined> {
  const cloned = await makeTemp(root, (temp) =>
    copyFile(path, temp, constants.COPYFILE_FICLONE_FORCE).then(
      () => temp,
      () => dropTemp(temp),
    ),
  );
  if (typeof cloned === 'string' || !immutable) return cloned ?? undefined;
  return makeTemp(root, (temp) =>
    link(path, temp).then(
      () => temp,
      () => undefined,
    ),
  );
}

/** Whether blobs can be read and written in the directory; it need not be there yet. */
export async function probeDirectory(root: string): Promise<ProbeReport> {
  try {
    await access(root, constants.R_OK | constants.X_OK);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') return { readable: false, writable: false, notes: [say(error)] };
    return { readable: true, writable: true, notes: ['made at the first use'] };
  }
  try {
    await (await openTemp(root)).dispose();
    return { readable: true, writable: true, notes: [] };
  } catch (error) {
    return { readable: true, writable: false, notes: [say(error)] };
  }
}

function say(error: unknown): string {
  return `the file system says ${errnoOf(error) ?? String(error)}`;
}
