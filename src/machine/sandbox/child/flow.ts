/**
 * Output of a command, from its pipe to whoever takes it, at the taker's pace.
 *
 * A script can write faster than anybody reads. While the taker is busy nothing is read, so the pipe fills and the
 * script waits; and however small its lines are, timers and signals are handled between two slices of work. Only when a
 * command has been ended and its last words still find no taker are they dropped, and their number is reported.
 */
import { setImmediate } from 'node:timers/promises';
import type { OnOutput } from '../port/sandbox.ts';
import type { OutputPipe } from './pipes.ts';

/** What is handed on at a time: a thousand line feeds are a thousand events. */
const SLICE_BYTES = 1024;
/** Longest time in milliseconds without a turn of the event loop. */
const SLICE_MS = 8;
/** How long the last words of a command that was ended may take. */
const LAST_WORDS_MS = 500;

/** The two streams of one command; used once. */
export class Flow {
  readonly #onOutput: OnOutput;
  readonly #given = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #dropping = false;
  #dropped = 0;
  #waiting = 0;

  constructor(onOutput: OnOutput) {
    this.#onOutput = onOutput;
  }

  /** Whether the taker holds it back. */
  get held(): boolean {
    return this.#waiting > 0;
  }

  /** Settles when both streams have ended and were handed on. */
  async drain(pipes: { readonly stdout: OutputPipe; readonly stderr: OutputPipe }): Promise<void> {
    await Promise.all([this.#drain('stdout', pipes.stdout), this.#drain('stderr', pipes.stderr)]);
    clearTimeout(this.#timer);
    if (this.#dropped === 0) return;
    const said = `stager dropped ${this.#dropped} bytes of output: nobody read them after the command was stopped\n`;
    this.#onOutput('stderr', Buffer.from(said));
  }

  /** The command has been ended: what is left has a moment. */
  hurry(): void {
    this.#timer ??= setTimeout(() => {
      this.#dropping = true;
      this.#given.resolve();
    }, LAST_WORDS_MS);
  }

  async #drain(stream: 'stdout' | 'stderr', { reader }: OutputPipe): Promise<void> {
    let turn = performance.now();
    for await (const read of reader) {
      const chunk = Buffer.isBuffer(read) ? read : Buffer.from(read);
      for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
        if (this.#dropping) {
          this.#dropped += chunk.length - at;
          break;
        }
        await this.#take(stream, chunk.subarray(at, at + SLICE_BYTES));
        if (performance.now() - turn < SLICE_MS) continue;
        await setImmediate();
        turn = performance.now();
      }
    }
  }

  async #take(stream: 'stdout' | 'stderr', slice: Buffer): Promise<void> {
    const taken = this.#onOutput(stream, slice);
    if (!(taken instanceof Promise)) return;
    this.#waiting += 1;
    await Promise.race([taken, this.#given.promise]);
    this.#waiting -= 1;
  }
}
