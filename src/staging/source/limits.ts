/** How much a source may hold, and the failures that say so. */
import { StagerError } from '../../words/errors.ts';

/** Upper bounds of one source, counted after ignore rules (what is ignored costs nothing). */
export interface SourceLimits {
  /** Files, directories and links, directories that an archive only implies included. */
  readonly maxEntries: number;
  /** Sum of the uncompressed sizes of all files, in bytes. */
  readonly maxBytes: number;
  /** What people raise to raise `maxBytes`, as in `--disk`; absent: nothing does. */
  readonly raise?: string;
  /** Size of one `.cfignore`, in bytes. */
  readonly maxIgnoreFileBytes: number;
}

/**
 * 8 GiB and 500,000 entries: far above a real app (Cloud Foundry's own default for a package is 1 GiB) and low
 * enough that a hostile archive ends before it hurts. An archive's names are kept in memory once, which is what
 * bounds the entries.
 */
export const DEFAULT_SOURCE_LIMITS: SourceLimits = {
  maxEntries: 500_000,
  maxBytes: 8 * 1024 ** 3,
  maxIgnoreFileBytes: 1024 ** 2,
};

/** Counts entries and bytes of one pass against the limits. */
export class Tally {
  entries = 0;
  bytes = 0;
  readonly #limits: SourceLimits;
  readonly #where: string;

  /** @param where the source as the person gave it, for messages. */
  constructor(limits: SourceLimits, where: string) {
    this.#limits = limits;
    this.#where = where;
  }

  /** @throws StagerError SOURCE_TOO_LARGE with limit and actual value. */
  setEntries(entries: number): void {
    this.entries = entries;
    if (entries > this.#limits.maxEntries)
      throw tooManyEntries(this.#where, this.#limits.maxEntries, entries);
  }

  /** @throws StagerError SOURCE_TOO_LARGE with limit and actual value. */
  addBytes(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes <= this.#limits.maxBytes) return;
    throw new StagerError(
      'SOURCE_TOO_LARGE',
      `${this.#where} holds at least ${this.bytes} bytes uncompressed; the limit is ${this.#limits.maxBytes}`,
      {
        next: lessOrMore('files', this.#limits.raise),
        details: { path: this.#where, limit: this.#limits.maxBytes, actual: this.bytes, unit: 'bytes' },
      },
    );
  }
}

/** What to do about a source that is too large. */
export function lessOrMore(what: 'files' | 'directories', raise?: string): string {
  return `Leave ${what} out with .cfignore${raise === undefined ? '; this limit is fixed' : `, or raise ${raise}`}.`;
}

/** SOURCE_TOO_LARGE for a number of entries. */
export function tooManyEntries(where: string, limit: number, actual: number): StagerError {
  return new StagerError(
    'SOURCE_TOO_LARGE',
    `${where} has at least ${actual} entries; the limit is ${limit}`,
    {
      next: lessOrMore('directories'),
      details: { path: where, limit, actual, unit: 'entries' },
    },
  );
}
