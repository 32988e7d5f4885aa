import { describe, expect, it } from 'vitest';
import { parseHostileYaml } from '../../../src/machine/host/hostile-yaml.ts';
import { mergeProcesses } from '../../../src/staging/buildpack/contract/process-list.ts';

describe('YAML of a hostile script', () => {
  it.each([
    ['quotes', '"'],
    ['anchors', '&a '],
    ['opening brackets', '['],
    ['aliases', '*a '],
    ['directives', '%\n'],
  ])('that is a megabyte of %s is refused in bounded time', (_name, text) => {
    const parsed = parseHostileYaml(text.repeat(2 ** 20 / text.length), { limitMs: 50 });
    expect(parsed).toEqual({ ok: false, reason: "it can't be parsed within 50 ms" });
  });

  it('that doubles by aliases is refused', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let n = 1; n < 12; n += 1)
      lines.push(
        `a${n}: &a${n} [${Array(10)
          .fill(`*a${n - 1}`)
          .join(', ')}]`,
      );
    expect(parseHostileYaml(lines.join('\n'))).toMatchObject({
      ok: false,
      reason: expect.stringContaining('alias'),
    });
  });

  it('is told where it is wrong', () => {
    expect(parseHostileYaml('web: a\nworker: "b" c\n')).toEqual({
      ok: false,
      reason: 'Unexpected scalar at node end at line 2, column 13',
      line: 2,
    });
  });

  it.each([
    [
      '- route: *.example.com',
      '*.example.com at line 1, column 10 is read as a YAML alias, and there is no anchor &.example.com',
    ],
    ['a: 1\nb: *', '* at line 2, column 4 is read as a YAML alias'],
    ['a: *later\nb: &later 1', '*later at line 1, column 4 is read as a YAML alias'],
  ])('with a star that was meant as text, %j, is reported as that', (text, reason) => {
    expect(parseHostileYaml(text)).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
  });

  it('has the scalars of the cf client where asked', () => {
    const text = 'N: [yes, on, n, 017, 0x1f, 1_000, 12:30, 2026-01-01, 1.10, ~, 123456789012345678]\n';
    expect(parseHostileYaml(text, { scalars: 'cf' })).toMatchObject({
      value: {
        N: [true, true, false, 15n, 31n, 1000n, '12:30', '2026-01-01', 1.1, null, 123456789012345678n],
      },
    });
  });
});

describe('ten thousands of processes', () => {
  it('are merged without looking at each pair', () => {
    const entries = (command: string) =>
      Array.from({ length: 60_000 }, (_, n) => ({ type: `t${n}`, command, sidecarFor: [] }));
    const merged = mergeProcesses(entries('old'), entries('new'));
    expect(merged).toHaveLength(60_000);
    expect(merged.every(({ command }) => command === 'new')).toBe(true);
  });
});
