import { expect, it } from 'vitest';
import { digestsOf } from '../../../src/stores/blobs/port/digests.ts';
import { ContentSet } from '../../../src/stores/resource-cache/content-set.ts';
import { encodeEntry, KEY_BYTES, ROW_BYTES } from '../../../src/stores/resource-cache/format.ts';

const nth = (n: number) => digestsOf(Buffer.from(`content ${n}`));

function keyOf(n: number): Buffer {
  const [key, row] = [Buffer.alloc(KEY_BYTES), Buffer.alloc(ROW_BYTES)];
  encodeEntry({ ...nth(n), offset: 0 }, 0, { key, row });
  return key;
}

it('knows a content by its digests and by its key of the index, however it was added', () => {
  const set = new ContentSet();
  const count = 5_000;
  for (let n = 0; n < count; n++) set.add(n % 2 === 0 ? nth(n) : keyOf(n));
  for (let n = 0; n < count; n++) {
    set.add(nth(n));
    expect([set.has(nth(n)), set.has(keyOf(n))]).toEqual([true, true]);
    expect(set.has(nth(count + n))).toBe(false);
  }
  expect(set.size).toBe(count);
});
