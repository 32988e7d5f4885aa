/**
 * Cutting a stream of unknown length into parts with bounded memory: as many part buffers as uploads may run at
 * once, plus the one being filled. A buffer is filled again when its upload has ended.
 */
import { addAbortSignal, type Readable } from 'node:stream';
import { Digester, type Digests } from './digests.ts';

/** S3 allows 10,000 parts. So sizes double every 1,000 parts: 8 MiB parts reach 5 TiB, the largest object. */
const PARTS_PER_SIZE = 1_000;

/** Size of part `number` (from 1) when the first has `firstBytes`. */
export function partSizeOf(number: number, firstBytes: number): number {
  return Math.min(firstBytes * 2 ** Math.floor((number - 1) / PARTS_PER_SIZE), 5 * 2 ** 30);
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

/** Reads `body` to its end, uploading its parts; waits for all of them, and settles only when none is running. */
export async function cutToParts(body: Readable, options: CutOptions): Promise<Digests> {
  const digester = new Digester();
  const pool = new PartPool(options);
  try {
    for await (const chunk of addAbortSignal(options.signal, body)) {
      const bytes: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      digester.update(bytes);
      for (let at = 0; at < bytes.byteLength; ) at += await pool.take(bytes.subarray(at));
    }
    await pool.end();
  } catch (error) {
    body.destroy();
    await pool.settle();
    throw error;
  }
  return digester.end();
}

class PartPool {
  readonly #options: CutOptions;
  readonly #free: Buffer[] = [];
  readonly #running = new Set<Promise<void>>();
  #current: Buffer | undefined;
  #filled = 0;
  #number = 1;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: CutOptions) {
    this.#options = options;
  }

  /** Copies what fits into the current part; returns how much that was. A full part goes when more comes. */
  async take(bytes: Uint8Array): Promise<number> {
    const size = partSizeOf(this.#number, this.#options.partBytes);
    if (this.#current !== undefined && this.#filled === size) await this.#dispatch(false);
    this.#current ??= this.#buffer();
    const room = Math.min(bytes.byteLength, this.#current.length - this.#filled);
    this.#current.set(bytes.subarray(0, room), this.#filled);
    this.#filled += room;
    return room;
  }

  async end(): Promise<void> {
    if (this.#current !== undefined || this.#number === 1) await this.#dispatch(true);
    await this.settle();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  #buffer(): Buffer {
    const size = partSizeOf(this.#number, this.#options.partBytes);
    const free = this.#free.pop();
    return free !== undefined && free.length === size ? free : Buffer.allocUnsafeSlow(size);
  }

  async #dispatch(isLast: boolean): Promise<void> {
    while (this.#running.size >= this.#options.concurrency) await Promise.race(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
    const buffer = this.#current ?? Buffer.alloc(0);
    const part = { number: this.#number, bytes: buffer.subarray(0, this.#filled), isLast };
    this.#current = undefined;
    this.#filled = 0;
    this.#number++;
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
