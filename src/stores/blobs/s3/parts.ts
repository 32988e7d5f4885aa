/**
 * Cutting bytes of unknown length into parts with bounded memory: as many part buffers as uploads may run at once,
 * plus the one being filled. A buffer is filled again when its upload has ended.
 *
 * Files are read straight into the part buffers: through a read stream, the collector took a third of the time of
 * an upload for its chunks (bench/s3.ts).
 */
import type { FileHandle } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { cancelled } from '../../../words/errors.ts';
import { Digester, type Digests } from '../port/digests.ts';

/** S3 allows 10,000 parts. So sizes double every 1,000 parts: 8 MiB parts reach 5 TiB, the largest object. */
const PARTS_PER_SIZE = 1_000;
const READ_BYTES = 1 << 20;

/** Size of part `number` (from 1) when the first has `firstBytes`. */
function partSizeOf(number: number, firstBytes: number): number {
  return Math.min(firstBytes * 2 ** Math.floor((number - 1) / PARTS_PER_SIZE), 5 * 2 ** 30);
}

/** Where bytes come from. */
export interface PartSource {
  /** Writes some bytes to the start of `target`. @returns how many; 0 at the end. */
  fill(target: Buffer): Promise<number>;
  /** Ends it, whatever it was doing. */
  close(): Promise<void>;
}

/** A part: `bytes` may be used until the promise of its upload settles. */
export interface Part {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

/** How to cut. */
export interface CutOptions {
  readonly partBytes: number;
  readonly concurrency: number;
  readonly signal: AbortSignal;
  /** Uploads one part. Called for the first part only when it is known whether it is the last. */
  readonly upload: (part: Part) => Promise<void>;
}

/** A stream's bytes. */
export function streamSource(body: Readable, signal: AbortSignal): PartSource {
  const chunks = addAbortSignal(signal, body)[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  return {
    async fill(target) {
      while (rest.byteLength === 0) {
        const next = await chunks.next();
        if (next.done === true) return 0;
        rest = typeof next.value === 'string' ? Buffer.from(next.value) : next.value;
      }
      const length = Math.min(rest.byteLength, target.length);
      target.set(rest.subarray(0, length));
      rest = rest.subarray(length);
      return length;
    },
    async close() {
      body.destroy();
    },
  };
}

/** A file's bytes. */
export function fileSource(handle: FileHandle): PartSource {
  return {
    async fill(target) {
      const { bytesRead } = await handle.read(target, 0, Math.min(target.length, READ_BYTES));
      return bytesRead;
    },
    close: () => handle.close(),
  };
}

/** Reads `source` to its end, uploading its parts; settles only when no upload is running. */
export async function cutToParts(source: PartSource, options: CutOptions): Promise<Digests> {
  const digester = new Digester();
  const pool = new PartPool(options);
  try {
    for (;;) {
      if (options.signal.aborted) throw cancelled(options.signal);
      const target = await pool.room();
      const length = await source.fill(target);
      if (length === 0) break;
      digester.update(target.subarray(0, length));
      pool.filled(length);
    }
    await pool.end();
  } catch (error) {
    await pool.settle();
    throw error;
  }
  return digester.end();
}

class PartPool {
  readonly #options: CutOptions;
  readonly #free: Buffer[] = [];
  readonly #running = new Set<Promise<void>>();
  #full: Buffer | undefined;
  #current: Buffer | undefined;
  #used = 0;
  #number = 1;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: CutOptions) {
    this.#options = options;
  }

  /**
   * Where the next bytes go. A full part is held back until bytes of the next one are there, so that the last part
   * is known as such; hence two buffers beyond the ones in flight.
   */
  async room(): Promise<Buffer> {
    const size = partSizeOf(this.#number, this.#options.partBytes);
    this.#current ??= this.#buffer(size);
    if (this.#used < this.#current.length) return this.#current.subarray(this.#used);
    if (this.#full !== undefined) await this.#dispatch(this.#full, false);
    this.#full = this.#current;
    this.#current = this.#buffer(partSizeOf(this.#number + 1, this.#options.partBytes));
    this.#used = 0;
    return this.#current;
  }

  filled(length: number): void {
    this.#used += length;
  }

  async end(): Promise<void> {
    const last = this.#current?.subarray(0, this.#used) ?? Buffer.alloc(0);
    if (this.#full !== undefined) await this.#dispatch(this.#full, last.length === 0);
    if (this.#full === undefined || last.length > 0) await this.#dispatch(last, true);
    await this.settle();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  #buffer(size: number): Buffer {
    const free = this.#free.pop();
    return free !== undefined && free.length === size ? free : Buffer.allocUnsafeSlow(size);
  }

  async #dispatch(buffer: Buffer, isLast: boolean): Promise<void> {
    while (this.#running.size >= this.#options.concurrency) await Promise.race(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
    const part = { number: this.#number++, bytes: buffer, isLast };
    const run = this.#options.upload(part).then(
      () => {
        this.#free.push(buffer);
        this.#running.delete(run);
      },
      (error: unknown) => {
        this.#failure ??= { error };
        this.#running.delete(run);
      },
    );
    this.#running.add(run);
  }
}
