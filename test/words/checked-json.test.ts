import { describe, expect, it } from 'vitest';
import { checkedJson, readCheckedJson } from '../../src/words/checked-json.ts';

const content = { version: 1, buildpacks: [{ name: 'first', enabled: true, position: 2, 7: 'seven' }] };

describe('a small file of JSON', () => {
  it('is read back as what was written', () => {
    expect(readCheckedJson(checkedJson(content))).toMatchObject(content);
  });

  it('says after every flipped bit either the same or nothing', () => {
    const bytes = Buffer.from(checkedJson(content));
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const copy = Buffer.from(bytes);
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const said = readCheckedJson(copy.toString());
      if (said !== undefined) expect(said).toMatchObject(content);
    }
  });

  it('says nothing when it is cut off, extended or something else', () => {
    const text = checkedJson(content);
    for (let length = 0; length < text.length - 2; length += 1)
      expect(readCheckedJson(text.slice(0, length))).toBeUndefined();
    for (const other of [`${text}more`, '[]', 'null', '7', ''])
      expect(readCheckedJson(other)).toBeUndefined();
  });

  it('of before there were checksums is still read', () => {
    expect(readCheckedJson(JSON.stringify(content))).toEqual(content);
  });
});
