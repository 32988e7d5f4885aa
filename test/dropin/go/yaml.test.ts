import { describe, expect, it } from 'vitest';
import {
  anyShape,
  decodeYaml,
  intShape,
  listShape,
  mapShape,
  stringShape,
  structShape,
} from '../../../src/dropin/go/yaml-decode.ts';

const map = mapShape(stringShape);
const entries = (text: string): readonly (readonly [string, string])[] => [...decodeYaml(map, text).value];

describe('YAML as Go reads it', () => {
  it('keeps scalars as they were written', () => {
    expect(entries('a: 1.50\nb: yes\nc: ~\nd: 0x1F\ne: 2001-01-01\nf: "1"')).toEqual(
      Object.entries({ a: '1.50', b: 'yes', c: '', d: '0x1F', e: '2001-01-01', f: '1' }),
    );
  });

  it('notes values of the wrong type and keeps the rest', () => {
    const { value, message } = decodeYaml(map, 'a: [x]\nb: y\nc: {d: e}\n');
    expect([...value]).toEqual([['b', 'y']]);
    expect(message).toBe(
      'yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into string\n  line 3: cannot unmarshal !!map into string',
    );
  });

  it('shortens long values in messages and names the type', () => {
    const shape = structShape('pkg.T', { n: listShape(intShape) }, () => ({ n: [] as readonly number[] }));
    expect(decodeYaml(shape, 'n: [1, a long word, 2.9]')).toEqual({
      value: { n: [1, 2] },
      message: 'yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `a long ...` into int',
    });
  });

  it('merges, lets what is written in the map win over what comes later in a list', () => {
    expect(entries('<<: [{a: 1, b: 1}, {a: 2, c: 2}]\nc: 3').toSorted()).toEqual([
      ['a', '1'],
      ['b', '1'],
      ['c', '3'],
    ]);
  });

  it('refuses documents that alias themselves into gigabytes', () => {
    const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
    for (let i = 1; i < 10; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(',')}]`,
      );
    expect(decodeYaml(mapShape(anyShape), lines.join('\n')).message).toBe(
      'yaml: document contains excessive aliasing',
    );
  });

  it('says in the original words what is no YAML', () => {
    const message = (text: string): string | undefined => decodeYaml(map, text).message;
    expect(message('a: [\n')).toBe('yaml: line 1: did not find expected node content');
    expect(message('a: {b: c\n')).toBe("yaml: line 1: did not find expected ',' or '}'");
    expect(message('a: b: c\n')).toBe('yaml: mapping values are not allowed in this context');
    expect(message('a: b\nc\n')).toBe("yaml: line 3: could not find expected ':'");
    expect(message('a: *b\n')).toBe("yaml: unknown anchor 'b' referenced");
    expect(message('a: \u0001\n')).toBe('yaml: control characters are not allowed');
    expect(message('['.repeat(20_000))).toMatch(/^yaml: /);
    expect(message('%a\n')).toBe('yaml: found unknown directive name');
  });
});
