/**
 * A set of contents by 64 bits of their digests: 16 to 32 bytes each. A set of strings takes ten times that, and V8 ends
 * one at 16.7 million. Two contents with the same bits (among 100 million contents once in 3,700 times) only ever make
 * a collection keep what nobody needs.
 */
import type { Digests } from '../blobs/port/digests.ts';

const FIRST_SLOTS = 1_024;

type Names = Pick<Digests, 'sha1' | 'sha256'>;

/** Filled and asked with digests or with keys of the index: the same content is the same either way. */
export class ContentSet {
  #high = new Uint32Array(FIRST_SLOTS);
  #low = new Uint32Array(FIRST_SLOTS);
  #size = 0;

  /** Number of different contents. */
  get size(): number {
    return this.#size;
  }

  add(content: Names | Buffer): void {
    this.#insert(...bitsOf(content));
  }

  has(content: Names | Buffer): boolean {
    return this.#low[this.#slotOf(...bitsOf(content))] !== 0;
  }

  #insert(high: number, low: number): void {
    const slot = this.#slotOf(high, low);
    if (this.#low[slot] !== 0) return;
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#size++;
    if (this.#size * 2 > this.#low.length) this.#grow();
  }

  /** Where it is, or the free slot where it would be. */
  #slotOf(high: number, low: number): number {
    const mask = this.#low.length - 1;
    let slot = (high & mask) >>> 0;
    while (this.#low[slot] !== 0 && (this.#high[slot] !== high || this.#low[slot] !== low)) {
      slot = ((slot + 1) & mask) >>> 0;
    }
    return slot;
  }

  #grow(): void {
    const [highs, lows] = [this.#high, this.#low];
    this.#high = new Uint32Array(highs.length * 2);
    this.#low = new Uint32Array(lows.length * 2);
    this.#size = 0;
    for (const [n, low] of lows.entries()) if (low !== 0) this.#insert(highs[n] ?? 0, low);
  }
}

/** The first six bytes of the sha256 and the first two of the sha1: what a key of the index has of both. */
function bitsOf(content: Names | Buffer): [high: number, low: number] {
  if (Buffer.isBuffer(content)) {
    return [content.readUInt32BE(20), nonZero(content.readUInt16BE(24) * 65_536 + content.readUInt16BE(0))];
  }
  const { sha1, sha256 } = content;
  const low = Number.parseInt(`${sha256.slice(8, 12)}${sha1.slice(0, 4)}`, 16);
  return [Number.parseInt(sha256.slice(0, 8), 16), nonZero(low)];
}

/** Zero marks a free slot. */
const nonZero = (low: number): number => (low === 0 ? 1 : low);
