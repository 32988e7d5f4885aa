/** Exact numbers of bytes from a stream of chunks. */
import { Refused } from './tar-parse.ts';

/** Reads `source` front to back. */
export class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next `length` bytes without consuming them; fewer at the end. */
  async peek(length: number): Promise<Buffer> {
    while (this.#chunk.length < length && (await this.#next())) {
      // #next appends.
    }
    return this.#chunk.subarray(0, length);
  }

  /** The next `length` bytes in a buffer of their own. @throws Refused when the stream ends before. */
  async take(length: number): Promise<Buffer<ArrayBuffer>> {
    const taken = Buffer.allocUnsafeSlow(length);
    await this.readInto(taken, 0, length);
    return taken;
  }

  /** The next `length` bytes into `target` at `start`. @throws Refused when the stream ends before. */
  async readInto(target: Buffer, start: number, length: number): Promise<void> {
    const end = start + length;
    for (let at = start; at < end; ) {
      if (this.#chunk.length === 0 && !(await this.#next())) throw new Refused('it ends early');
      const count = this.#chunk.copy(target, at, 0, Math.min(this.#chunk.length, end - at));
      this.#chunk = this.#chunk.subarray(count);
      at += count;
    }
  }

  /** Everything that was not read yet. */
  async *rest(): AsyncGenerator<Buffer> {
    do {
      const chunk = this.#chunk;
      this.#chunk = Buffer.alloc(0);
      if (chunk.length > 0) yield chunk;
    } while (await this.#next());
  }

  async #next(): Promise<boolean> {
    if (this.#ended) return false;
    const { value, done } = await this.#source.next();
    if (done === true) {
      this.#ended = true;
      return false;
    }
    this.#chunk = this.#chunk.length === 0 ? value : Buffer.concat([this.#chunk, value]);
    return true;
  }
}
