/** Checks that a listing makes progress: a store that repeats itself would be asked forever. */

/** Pages in a row that may bring nothing new: a bucket with many deleted versions has empty ones. */
const STILL_PAGES = 100;
/** A hundred million keys. */
const MAX_PAGES = 100_000;

/** Watches the pages of one listing; keys come in the order of their bytes. */
export class Pages {
  readonly #tokens = new Set<string>();
  #last: Buffer | undefined;
  #still = 0;
  #count = 0;

  /** What is wrong after a page with this last key and this way to the next page; undefined when it is fine. */
  wrongIn(lastKey: string | undefined, token: string | undefined): string | undefined {
    this.#count++;
    if (token === undefined) return undefined;
    if (this.#tokens.has(token)) return `page ${this.#count} leads back to an earlier one`;
    this.#tokens.add(token);
    if (this.#count >= MAX_PAGES) return `it has more than ${MAX_PAGES} pages`;
    const key = lastKey === undefined ? undefined : Buffer.from(lastKey);
    const isNew = key !== undefined && (this.#last === undefined || key.compare(this.#last) > 0);
    this.#still = isNew ? 0 : this.#still + 1;
    if (isNew) this.#last = key;
    return this.#still < STILL_PAGES ? undefined : `${STILL_PAGES} pages in a row brought nothing new`;
  }
}
