/**
 * Raw bytes of a process → lines of text, with bounded memory whatever the process writes.
 *
 * Bytes arrive in chunks that end anywhere: in the middle of a line, of a UTF-8 sequence, between CR and LF.
 * A person wants to see a prompt or a progress dot before its line ends, and a hostile script may never end a
 * line at all. So an open line is handed out in pieces: when it has waited for a while, and when it is full.
 */
import type { Clock } from '../../words/clock.ts';

/** Longest piece in bytes: what a Cloud Foundry cell puts in one log message. */
export const MAX_LINE_BYTES = 61_440;
/** Milliseconds after which the start of an open line is shown. */
export const OPEN_LINE_MS = 250;

/** One line, or one piece of one; pieces joined in order are the line. Never holds a line feed. */
export interface Line {
  /** Invalid bytes are replaced by U+FFFD; the line end (LF or CRLF) is removed, other CRs are kept. */
  readonly text: string;
  /** True: the line continues in the next piece. */
  readonly partial: boolean;
}

/** What {@link LineSplitter} needs. */
export interface LineSplitterOptions {
  readonly clock: Clock;
  /** Takes lines in order, some of them from a timer; must not throw. */
  readonly onLine: (line: Line) => void;
  /** Longest piece, in bytes as they were written; at least 16. */
  readonly maxBytes?: number;
  /** `Infinity`: an open line waits for its end. */
  readonly openLineMs?: number;
}

const LF = 0x0a;
const CR = 0x0d;
const FIRST_CAPACITY = 1024;

/** Splits one stream. Call `end` when the stream has ended, or its last line and a timer are left behind. */
export class LineSplitter {
  readonly #clock: Clock;
  readonly #onLine: (line: Line) => void;
  readonly #maxBytes: number;
  readonly #openLineMs: number;
  #open: Buffer = Buffer.allocUnsafe(FIRST_CAPACITY);
  #length = 0;
  /** A piece of the open line was handed out, so its end has to be told even when nothing follows. */
  #begun = false;
  #cancelFlush: (() => void) | undefined;

  constructor(options: LineSplitterOptions) {
    this.#clock = options.clock;
    this.#onLine = options.onLine;
    this.#maxBytes = options.maxBytes ?? MAX_LINE_BYTES;
    this.#openLineMs = options.openLineMs ?? OPEN_LINE_MS;
  }

  /** Takes the next bytes; they are copied where they have to be kept. */
  write(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, from)) {
      this.#append(chunk.subarray(from, end));
      this.#endLine();
      from = end + 1;
    }
    this.#append(chunk.subarray(from));
    this.#watchOpenLine();
  }

  /** Hands out what is left as the last line. Further calls do nothing. */
  end(): void {
    if (this.#length > 0 || this.#begun) this.#emit(this.#length, false);
    this.#stopWatching();
  }

  #append(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#length === this.#maxBytes) this.#emit(cutBefore(this.#open, this.#length), true);
      const taken = Math.min(rest.length, this.#maxBytes - this.#length);
      this.#reserve(this.#length + taken);
      rest.copy(this.#open, this.#length, 0, taken);
      this.#length += taken;
      rest = rest.subarray(taken);
    }
  }

  #reserve(needed: number): void {
    if (needed <= this.#open.length) return;
    const grown = Buffer.allocUnsafe(Math.min(this.#maxBytes, Math.max(needed, this.#open.length * 2)));
    this.#open.copy(grown, 0, 0, this.#length);
    this.#open = grown;
  }

  #endLine(): void {
    if (this.#length > 0 && this.#open[this.#length - 1] === CR) this.#length -= 1;
    this.#emit(this.#length, false);
    this.#stopWatching();
  }

  /** Hands out the first `count` bytes of the open line and keeps the rest. */
  #emit(count: number, partial: boolean): void {
    const text = this.#open.toString('utf8', 0, count);
    this.#open.copy(this.#open, 0, count, this.#length);
    this.#length -= count;
    this.#begun = partial;
    this.#onLine({ text, partial });
  }

  #watchOpenLine(): void {
    if (
      this.#length === 0 ||
      this.#cancelFlush !== undefined ||
      this.#openLineMs === Number.POSITIVE_INFINITY
    )
      return;
    this.#cancelFlush = this.#clock.schedule(this.#openLineMs, () => {
      this.#cancelFlush = undefined;
      const count = cutBefore(this.#open, this.#length);
      if (count > 0) this.#emit(count, true);
    });
  }

  #stopWatching(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
  }
}

/**
 * How many of the first `length` bytes can go out as a piece: not a trailing CR (it may belong to a CRLF), not
 * the start of a UTF-8 sequence whose end has not come.
 */
function cutBefore(bytes: Buffer, length: number): number {
  if (bytes[length - 1] === CR) return length - 1;
  for (let back = 1; back <= Math.min(3, length); back += 1) {
    const byte = bytes[length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    return sequenceLength(byte) > back ? length - back : length;
  }
  return length;
}

/** Bytes of the UTF-8 sequence that `lead` starts; 1 for ASCII and for bytes that start none. */
function sequenceLength(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 1;
}
