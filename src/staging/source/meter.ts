/** Passes bytes on, and stops a stream that unpacks to more than allowed. */
import { Transform, type TransformCallback } from 'node:stream';
import { StagerError } from '../../words/errors.ts';
import { lessOrMore } from './limits.ts';

/** Fails with SOURCE_TOO_LARGE once more than `limit` bytes have passed. */
export class Meter extends Transform {
  #passed = 0;
  readonly #limit: number;
  readonly #where: string;

  readonly #raise: string | undefined;

  /** @param raise what people raise to raise the limit. */
  constructor(limit: number, where: string, raise?: string) {
    super();
    this.#limit = limit;
    this.#where = where;
    this.#raise = raise;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#passed += chunk.length;
    if (this.#passed <= this.#limit) {
      done(null, chunk);
      return;
    }
    done(
      new StagerError(
        'SOURCE_TOO_LARGE',
        `${this.#where} unpacks to at least ${this.#passed} bytes; the limit is ${this.#limit}`,
        {
          next: lessOrMore('files', this.#raise),
          details: { path: this.#where, limit: this.#limit, actual: this.#passed, unit: 'bytes' },
        },
      ),
    );
  }
}
