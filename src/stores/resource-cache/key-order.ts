/** Walking the keys of several segments as one sorted sequence: what merges and collections are made of. */
import { KEY_BYTES, ROW_BYTES } from './format.ts';
import { type Column, readBlocks, type Segment, type StoreAccess } from './segment.ts';

/** Bytes of a key that name the content; the number of its pack follows. */
export const CONTENT_BYTES = 32;

/** A key, valid until the next one, and which of the segments has it. */
export interface PlacedKey {
  readonly source: number;
  readonly key: Buffer;
}

/** True when both are about the same content. */
export const sameContent = (a: Buffer, b: Buffer): boolean =>
  a.compare(b, 0, CONTENT_BYTES, 0, CONTENT_BYTES) === 0;

/** Keys of all segments by content; one block of each is in memory. @throws StagerError BLOB_CORRUPT. */
export async function* inKeyOrder(
  io: StoreAccess,
  segments: readonly Segment[],
): AsyncGenerator<PlacedKey, void, void> {
  const cursors = segments.map((segment) => new KeyCursor(io, segment, 'keys'));
  for (const cursor of cursors) await cursor.load();
  for (;;) {
    let source = -1;
    let least: Buffer | undefined;
    for (const [n, cursor] of cursors.entries()) {
      const key = cursor.peek();
      if (key === undefined) continue;
      if (least !== undefined && key.compare(least, 0, CONTENT_BYTES, 0, CONTENT_BYTES) >= 0) continue;
      least = key;
      source = n;
    }
    if (least === undefined) return;
    yield { source, key: least };
    const cursor = cursors[source];
    cursor?.advance();
    if (cursor?.peek() === undefined) await cursor?.load();
  }
}

/** Walks a column of a segment. */
export class KeyCursor {
  readonly #blocks: AsyncIterator<{ readonly bytes: Buffer }>;
  readonly #width: number;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(io: StoreAccess, segment: Segment, column: Column) {
    const run = { from: 0, to: segment.blocks.length, column };
    this.#blocks = readBlocks(io, segment, run)[Symbol.asyncIterator]();
    this.#width = column === 'keys' ? KEY_BYTES : ROW_BYTES;
  }

  /** The entry that it stands at; undefined at the end of a block. */
  peek(): Buffer | undefined {
    if (this.#at >= this.#bytes.length) return undefined;
    return this.#bytes.subarray(this.#at, this.#at + this.#width);
  }

  advance(): void {
    this.#at += this.#width;
  }

  /** Reads the next block. @returns its first entry; undefined at the end of the column. */
  async load(): Promise<Buffer | undefined> {
    const next = await this.#blocks.next();
    this.#bytes = next.done === true ? Buffer.alloc(0) : next.value.bytes;
    this.#at = 0;
    return this.peek();
  }
}
