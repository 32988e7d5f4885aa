/** Random access for the zip reader, over a file whose first bytes may not belong to the zip. */
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { RandomAccessReader } from 'yauzl';

/** Read ahead in the central directory: its entries are asked for in two small pieces each. */
const WINDOW_BYTES = 262_144;

/** Reads from `handle`, `prefix` bytes on. Does not close it. */
export class HandleReader extends RandomAccessReader {
  readonly #handle: FileHandle;
  readonly #prefix: number;
  readonly #window = Buffer.allocUnsafe(WINDOW_BYTES);
  #windowStart = 0;
  #windowEnd = 0;
  /** End of the last read outside the window: what follows on is read ahead. */
  #lastEnd = -1;

  constructor(handle: FileHandle, prefix: number) {
    super();
    this.#handle = handle;
    this.#prefix = prefix;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#chunks(start + this.#prefix, end + this.#prefix), { objectMode: false });
  }

  // biome-ignore lint/complexity/useMaxParams: yauzl calls it
  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    if (position >= this.#windowStart && position + length <= this.#windowEnd) {
      const from = position - this.#windowStart;
      this.#window.copy(buffer, offset, from, from + length);
      callback(null);
      return;
    }
    this.#readOn(buffer.subarray(offset, offset + length), position).then(() => callback(null), callback);
  }

  /** `length` bytes at `position`, fewer at the end of the file. */
  async readUpTo(position: number, length: number): Promise<Buffer> {
    const into = Buffer.allocUnsafe(length);
    return into.subarray(0, await this.#fill(into, position));
  }

  async #readOn(into: Buffer, position: number): Promise<void> {
    const follows =
      position === this.#lastEnd || (position > this.#windowStart && position <= this.#windowEnd);
    if (!follows || into.length > WINDOW_BYTES) {
      this.#lastEnd = position + into.length;
      if ((await this.#fill(into, position)) < into.length) throw new Error('unexpected end of file');
      return;
    }
    this.#windowStart = position;
    this.#windowEnd = position;
    this.#windowEnd += await this.#fill(this.#window, position);
    if (this.#windowEnd - position < into.length) throw new Error('unexpected end of file');
    this.#window.copy(into, 0, 0, into.length);
  }

  async #fill(into: Buffer, position: number): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      const at = position + this.#prefix + filled;
      const { bytesRead } = await this.#handle.read(into, filled, into.length - filled, at);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  async *#chunks(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(65_536, end - at));
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw new Error('unexpected end of file');
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }
}
