import { describe, expect, it } from 'vitest';
import {
  anyShape,
  decodeYaml,
  intShape,
  listShape,
  mapShape,
  stringShape,
  structShape,
} from '../../../../src/doors/dropin/go/yaml-decode.ts';

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
    const shape = structShape('pkg.T', { n: listShape(intShape) }, () => ({ n: [] as readonly bigint[] }));
    expect(decodeYaml(shape, 'n: [1, a long word, 2.9]')).toEqual({
      value: { n: [1n, 2n] },
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

  it('says in the original words what is not YAML', () => {
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

  it.each([
    ['web: a\nworker: b: c', 'line 2: mapping values are not allowed in this context'],
    ['web: ./w\nworker\nclock: ./c\n', "line 3: could not find expected ':'"],
    ['web: |-x\n  run\n', 'did not find expected comment or line break'],
    ['web: "a\nb', 'line 2: found unexpected end of stream'],
    ['web: "\\q"\n', 'found unknown escape character'],
    ['web: "\\ud83d\\ude00"\n', 'found invalid Unicode character escape code'],
    ['- a\nb: c\n', "line 1: did not find expected '-' indicator"],
    ['a: x\n : y\n', 'line 1: did not find expected key'],
    ['{web: a worker: b}\n', "did not find expected ',' or '}'"],
    [']web: a\n', 'did not find expected node content'],
    ['web: @x\n', 'found character that cannot start any token'],
    ['\tweb: x\n', 'found character that cannot start any token'],
    ['a: |\n \tx\n b\n', 'line 2: found a tab character where an indentation space is expected'],
    ['%YAML 1.2\n---\na: b\n', 'found incompatible YAML document'],
    ['%YAML 1.1\na: b\n', 'line 1: did not find expected <document start>'],
    ['!x!y a: b\n', 'found undefined tag handle'],
    ['&a: b\n', undefined],
    ['& a\n', 'did not find expected alphabetic or numeric character'],
    ['{}: x\n', undefined],
  ])('finds what the original finds in %j', (text, message) => {
    expect(decodeYaml(map, text).message).toBe(message === undefined ? undefined : `yaml: ${message}`);
  });

  it('takes what the original takes and other readers do not', () => {
    expect(entries('\ufeffweb: run\r\nworker: work\r\n')).toEqual([
      ['web', 'run'],
      ['worker', 'work'],
    ]);
    expect(entries('a: {\nb: c}\n')).toEqual([]);
    expect(entries('web: "two\nlines"\n')).toEqual([['web', 'two lines']]);
    expect(entries('web: >\n  two\n  lines\nw: |\n  kept')).toEqual([
      ['web', 'two lines\n'],
      ['w', 'kept'],
    ]);
    expect(entries(' web: x\nworker: y\n')).toEqual([['web', 'x']]);
    expect(decodeYaml(listShape(mapShape(stringShape)), '[\n{a: b}, ? c : d,\n]').value).toHaveLength(2);
  });
});
