/**
 * Content that later entries of a stream need again. A tar stores a hard-linked file once and can't be read
 * backwards, so such files are kept on disk while their copies are handed out: one after another in one file that has no
 * name left, so nothing of it remains however this process ends.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { errnoOf, StagerError } from '../../words/errors.ts';

const CHUNK_BYTES = 65_536;

interface Span {
  readonly start: number;
  readonly end: number;
}

/** A private file that is made on first use. */
export class Spool {
  readonly #tempRoot: string;
  readonly #held = new Map<number, Span>();
  #handle: FileHandle | undefined;
  #end = 0;

  /** @param tempRoot directory for the file; made if missing. */
  constructor(tempRoot: string) {
    this.#tempRoot = tempRoot;
  }

  /**
   * Keeps `content` under a number.
   *
   * @throws StagerError HOST_DISK_FULL; what `content` fails with.
   */
  async keep(index: number, content: AsyncIterable<Buffer>): Promise<void> {
    const handle = await this.#file();
    const start = this.#end;
    for await (const chunk of content) {
      for (let at = 0; at < chunk.length; ) {
        const { bytesWritten } = await handle
          .write(chunk, at, chunk.length - at, this.#end)
          .catch((error: unknown) => {
            throw fullDisk(this.#tempRoot, error);
          });
        at += bytesWritten;
        this.#end += bytesWritten;
      }
    }
    this.#held.set(index, { start, end: this.#end });
  }

  /** What was kept under a number, or undefined. Valid until {@link Spool.remove}. */
  at(index: number): (() => Readable) | undefined {
    const [span, handle] = [this.#held.get(index), this.#handle];
    if (span === undefined || handle === undefined) return undefined;
    return () => Readable.from(chunks(handle, span), { objectMode: false });
  }

  async remove(): Promise<void> {
    await this.#handle?.close();
  }

  async #file(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle;
    await mkdir(this.#tempRoot, { recursive: true, mode: 0o700 });
    const path = join(this.#tempRoot, `.stager-spool-${randomUUID()}`);
    this.#handle = await open(path, 'wx+', 0o600);
    await rm(path);
    return this.#handle;
  }
}

async function* chunks(handle: FileHandle, { start, end }: Span): AsyncGenerator<Buffer> {
  for (let at = start; at < end; ) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - at));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) throw new Error('unexpected end of file');
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function fullDisk(tempRoot: string, error: unknown): unknown {
  if (errnoOf(error) !== 'ENOSPC' && errnoOf(error) !== 'EDQUOT') return error;
  return new StagerError(
    'HOST_DISK_FULL',
    `no space in ${tempRoot} for the hard-linked files of the archive`,
    {
      next: 'Free space there.',
      details: { path: tempRoot },
      cause: error,
    },
  );
}
