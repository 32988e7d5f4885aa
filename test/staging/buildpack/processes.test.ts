import { describe, expect, it } from 'vitest';
import { mergeProcesses, processOutcome } from '../../../src/staging/buildpack/contract/process-list.ts';
import {
  parseLaunchYml,
  parseProcfile,
  parseProcfileLines,
  parseRelease,
} from '../../../src/staging/buildpack/contract/processes.ts';

const entry = (type: string, command: string) => ({ type, command, sidecarFor: [] });
const map = (outcome: ReturnType<typeof parseProcfile>) =>
  outcome.ok ? Object.fromEntries(outcome.value) : outcome;

describe('a Cloud Foundry Procfile', () => {
  it('is a YAML map whose scalars count as they are written', () => {
    expect(map(parseProcfile('web: 8080\nworker: yes\n"quoted": "a: b"\n'))).toEqual({
      web: '8080',
      worker: 'yes',
      quoted: 'a: b',
    });
  });

  it('may be empty', () => {
    expect(map(parseProcfile(''))).toEqual({});
    expect(map(parseProcfile('# only a comment\n'))).toEqual({});
  });

  it.each(['[', 'web: [a]', 'web: {a: b}', '- web', 'just text', 'web: a: b'])(
    'is refused when it is %s',
    (text) => {
      expect(parseProcfile(text).ok).toBe(false);
    },
  );

  it('does not grow out of bounds by aliases', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefghijk'
      .split('')
      .map((it, index) => `${it}: &${it} [${Array(10).fill(`*${'abcdefghij'[index]}`).join(',')}]`)
      .join('\n')}`;
    expect(parseRelease(bomb).ok).toBe(false);
  });
});

describe('a Heroku Procfile', () => {
  it('is read line by line', () => {
    expect(
      map(parseProcfileLines('web: a: b # c\r\n\n# no\n=====\nbad type: x\nrelease: ./migrate\n')),
    ).toEqual({
      web: 'a: b # c',
      release: './migrate',
    });
  });

  it('is refused where the other family would refuse it and no line is one', () => {
    expect(parseProcfileLines('[').ok).toBe(false);
  });
});

describe('release output', () => {
  it.each(['', '---', '--- {}', 'null', 'config_vars:\n', 'default_process_types:\n'])(
    'of %j means none',
    (text) => {
      expect(parseRelease(text)).toMatchObject({ ok: true, value: { addons: [] } });
    },
  );

  it.each(['text', '- a', 'default_process_types: x', 'default_process_types: {web: [a]}', 'a: ['])(
    'of %j is invalid',
    (text) => {
      expect(parseRelease(text).ok).toBe(false);
    },
  );

  it('keeps config vars and addons, and ignores broken ones', () => {
    expect(parseRelease('config_vars: {A: 1}\naddons: [db]\n')).toMatchObject({
      value: { configVars: new Map([['A', '1']]), addons: ['db'] },
    });
    expect(parseRelease('config_vars: [x]\naddons: 3\n').ok).toBe(true);
  });
});

describe('launch.yml', () => {
  it('may leave things out and hold things that nobody knows', () => {
    expect(parseLaunchYml('')).toEqual({ ok: true, value: [] });
    expect(parseLaunchYml('processes:\n- {type: web, command: a, other: 1}\n')).toEqual({
      ok: true,
      value: [entry('web', 'a')],
    });
  });

  it.each(['processes: x', 'processes: [x]', '{', 'processes: [{type: web, limits: {memory: lots}}]'])(
    'is refused: %s',
    (text) => {
      expect(parseLaunchYml(text).ok).toBe(false);
    },
  );
});

describe('merging', () => {
  it('replaces in place and appends the rest', () => {
    const merged = mergeProcesses(
      [entry('web', '1'), entry('worker', '2')],
      [entry('clock', '3'), entry('web', '4')],
    );
    expect(merged.map(({ type, command }) => `${type}=${command}`)).toEqual(['web=4', 'worker=2', 'clock=3']);
  });

  it('sorts the map and keeps the order of the list', () => {
    const outcome = processOutcome([entry('worker', 'w'), entry('clock', 'c')]);
    expect(Object.keys(outcome.processTypes)).toEqual(['clock', 'worker']);
    expect(outcome.processes.map((it) => it.type)).toEqual(['worker', 'clock']);
  });
});
