/**
 * Writes the log of one build. Lines are gathered for a moment and inserted together; `close` returns when the last one
 * is durable, and only then a build is final. A rate limit drops whole lines and says in the log how much.
 */
import type { Clock } from '../../words/clock.ts';
import type { BuildEvent } from '../../words/events.ts';
import type { Guid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';
import { appendLog, closeLog, type LogLine, logEnd, type NumberedEvent } from './log-store.ts';
import { patiently } from './patiently.ts';

/** Milliseconds that a line waits for others. */
const GATHER_MS = 100;
/** Bytes that may wait for a slow database. */
const MAX_WAITING = 16 * 1024 * 1024;
/** The kernel of a log message on a cell. */
const MAX_LINE_CHARACTERS = 61_440;
const SECOND_MS = 1000;

export interface BuildLogParts {
  readonly queries: Queries;
  readonly build: Guid;
  readonly app: Guid;
  /** Of the worker's claim: a line of one that lost its build is not written. */
  readonly fence: number;
  /** Bytes a second; -1: as many as come. */
  readonly rate: number;
  readonly clock: Clock;
  /** Called when new lines can be read. */
  readonly onLines: () => void;
}

/** See the top of the file. */
export class BuildLog {
  readonly #parts: BuildLogParts;
  /** By how much the clock of the database is ahead of ours: lines of several workers have one time. */
  readonly #skewMs: number;
  #sequence: number;
  #at: number;
  #waiting: LogLine[] = [];
  #events: number;
  #waitingEvents: NumberedEvent[] = [];
  /** Those that are being written included. */
  #waitingBytes = 0;
  #writingBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #cancelTimer: (() => void) | undefined;
  #failure: unknown;
  /** The second that is being counted, and what it had. */
  #second = 0;
  #secondBytes = 0;
  #droppedBytes = 0;

  private constructor(parts: BuildLogParts, end: Awaited<ReturnType<typeof logEnd>>) {
    this.#parts = parts;
    this.#sequence = end.sequence;
    this.#at = end.at;
    this.#events = end.events;
    this.#skewMs = end.now - parts.clock.now();
  }

  static async open(parts: BuildLogParts): Promise<BuildLog> {
    return new BuildLog(parts, await logEnd(parts.queries, parts));
  }

  /** One line. Never throws; a database that refuses makes `close` fail. */
  line(stream: LogLine['stream'], text: string): void {
    const bytes = Buffer.byteLength(text);
    if (!this.#admits(bytes)) {
      this.#droppedBytes += bytes;
      return;
    }
    this.#tellDropped();
    this.#add(stream, text);
  }

  /** One event of the staging, after its lines. What the limit dropped of the log, it drops here. */
  event(event: BuildEvent): void {
    if (event.type === 'progress' || (event.type === 'output' && this.#droppedBytes > 0)) return;
    this.#events += 1;
    this.#waitingEvents.push({ sequence: this.#events, event: JSON.stringify(event) });
    this.#wait();
  }

  /** Writes what waits. */
  async flush(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const [lines, events] = [this.#waiting, this.#waitingEvents];
    const bytes = this.#waitingBytes - this.#writingBytes;
    [this.#waiting, this.#waitingEvents] = [[], []];
    this.#writingBytes += bytes;
    if (lines.length === 0 && events.length === 0) return await this.#writing;
    const { queries, clock, onLines } = this.#parts;
    this.#writing = this.#writing
      .then(() => patiently(clock, () => appendLog(queries, this.#parts, { lines, events })))
      .then(onLines)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#waitingBytes -= bytes;
        this.#writingBytes -= bytes;
      });
    await this.#writing;
  }

  /** @throws what the database threw, when a line could not be written. */
  async close(): Promise<void> {
    this.#tellDropped();
    await this.flush();
    if (this.#failure !== undefined) throw this.#failure;
    await patiently(this.#parts.clock, () => closeLog(this.#parts.queries, this.#parts));
    this.#parts.onLines();
  }

  #admits(bytes: number): boolean {
    if (this.#waitingBytes + bytes > MAX_WAITING) return false;
    const { rate, clock } = this.#parts;
    if (rate < 0) return true;
    const second = Math.floor(clock.now() / SECOND_MS);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondBytes = 0;
    }
    if (this.#secondBytes + bytes > rate) return false;
    this.#secondBytes += bytes;
    return true;
  }

  #tellDropped(): void {
    if (this.#droppedBytes === 0) return;
    const { rate } = this.#parts;
    const why = rate < 0 ? 'the database did not keep up' : `the limit is ${rate} bytes a second`;
    this.#add('stderr', `${this.#droppedBytes} bytes of the log were dropped: ${why}`);
    this.#droppedBytes = 0;
  }

  #add(stream: LogLine['stream'], text: string): void {
    const { clock } = this.#parts;
    this.#at = Math.max((clock.now() + this.#skewMs) * 1000, this.#at + 1);
    this.#sequence += 1;
    // PostgreSQL has no NUL in a text.
    const clean = text.slice(0, MAX_LINE_CHARACTERS).replaceAll('\0', '\uFFFD').toWellFormed();
    this.#waiting.push({ sequence: this.#sequence, at: Math.floor(this.#at), stream, text: clean });
    this.#waitingBytes += clean.length;
    this.#wait();
  }

  #wait(): void {
    this.#cancelTimer ??= this.#parts.clock.schedule(GATHER_MS, () => void this.flush());
  }
}
