import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareAgain, compareFirst } from '../../src/workshop/compare.ts';
import { type Expectations, readExpectations } from '../../src/workshop/expectations.ts';
import type { SeenRound } from '../../src/workshop/seen.ts';
import { updatedExpectations } from '../../src/workshop/update-expectations.ts';
import { tree } from './tree.ts';

const NOTHING = { added: [], changed: [], removed: [] };
const FILES: ReadonlyMap<string, string> = new Map([
  ['deps/0/config.yml', 'name: x\n'],
  ['deps/0/lib/a.so', ''],
  ['cache/final/x', ''],
]);

function seen(changes: Partial<SeenRound> = {}): SeenRound {
  const phase = { outcome: 'exit 0', exitStatus: 0, durationMs: 1, changes: NOTHING };
  const made = { ...NOTHING, added: [...FILES.keys()] };
  return {
    phases: [
      { ...phase, phase: 'detect', log: [] },
      { ...phase, phase: 'supply', log: ['-----> Installing x 1.2', 'done'], changes: made },
    ],
    detect: { buildpack: 'x', outcome: 'exit 0', exitStatus: 0, firstLine: 'x 1.0', durationMs: 1 },
    files: new Set(FILES.keys()),
    envFiles: {},
    launchEnv: { PATH: '/a:/b', HOME_X: '/x' },
    processes: { web: 'run' },
    sidecars: {},
    read: async (path) => FILES.get(path),
    ...changes,
  };
}

const failure = {
  code: 'COMPILE_FAILED',
  blame: 'buildpack',
  message: 'no',
  details: {},
  exit: 223,
} as const;
const failed = seen({
  error: failure,
  phases: [{ phase: 'supply', outcome: 'exit 3', exitStatus: 3, durationMs: 1, changes: NOTHING, log: [] }],
});

async function wheres(wanted: Expectations, round: SeenRound = seen()): Promise<readonly string[]> {
  return (await compareFirst(wanted, round)).map(({ where }) => where);
}

describe('an expectations file that is wrong', () => {
  it.each([
    ['log: x', 'log: must be a list'],
    ['error: NOPE', 'error: is not a code of docs/errors.md'],
    ['detect: [x]', 'detect: must be true, false or the line'],
    ['launch_env: { A: { bad: 1 } }', 'launch_env.A: must be a string, { contains'],
    ['files: { content: { a: { matches: "(" } } }', 'files.content.a.matches: is not a regular expression'],
    ['log: []\nlog: []', 'Map keys must be unique at line 2'],
  ])('with %j is refused, and says why', async (text, reason) => {
    await using dir = await tree({ 'a.expect.yml': text });
    await expect(readExpectations(join(dir.path, 'a.expect.yml'))).rejects.toThrow(reason);
  });
});

describe('comparing', () => {
  it.each<[string, Expectations]>([
    ['nothing', {}],
    ['a detect that says yes', { detect: true }],
    ['the name that detect prints', { detect: 'x 1.0' }],
    ['exit statuses', { exit: { supply: 0 } }],
    [
      'files, directories and patterns',
      { files: { present: ['deps/0/config.yml', 'deps/0/lib', 'deps/*/lib/*.so'] } },
    ],
    ['absence', { files: { absent: ['app', 'deps/1'] } }],
    ['content', { files: { content: { 'deps/0/config.yml': { matches: '^name: .$' } } } }],
    ['some variables', { launch_env: { PATH: { contains: '/b' } } }],
    ['all processes', { processes: { web: 'run' } }],
    ['parts of lines', { log: ['Installing x', { matches: 'x \\d' }], not_log: ['error'] }],
  ])('is content with %s', async (_what, wanted) => {
    expect(await wheres(wanted)).toEqual([]);
  });

  it.each<[string, Expectations]>([
    ['detect', { detect: false, error: 'NO_APP_DETECTED' }],
    ['detect', { detect: 'x 2.0' }],
    ['exit.supply', { exit: { supply: 1 } }],
    ['exit.finalize', { exit: { finalize: 0 } }],
    ['files.present', { files: { present: ['deps/0/li'] } }],
    ['files.absent', { files: { absent: ['deps/**/*.so'] } }],
    ['files.content.deps/0/config.yml', { files: { content: { 'deps/0/config.yml': 'name: x' } } }],
    ['files.content.app/none', { files: { content: { 'app/none': '' } } }],
    ['launch_env.HOME_X', { launch_env: { HOME_X: '/y' } }],
    ['launch_env.NONE', { launch_env: { NONE: '' } }],
    ['processes.web', { processes: { web: 'other' } }],
    ['processes.web', { processes: {} }],
    ['log', { log: ['installing x'] }],
    ['not_log', { not_log: ['done'] }],
    ['error', { error: 'OUT_OF_DISK' }],
  ])('names %s', async (where, wanted) => {
    expect(await wheres(wanted)).toContain(where);
  });

  it('takes a failure for one unless it is expected', async () => {
    expect(await wheres({}, failed)).toEqual(['error']);
    expect(await wheres({ error: 'COMPILE_FAILED' }, failed)).toEqual([]);
    expect(await wheres({ exit: { supply: 3 } }, failed)).toEqual([]);
    expect(await wheres({ exit: { supply: 4 } }, failed)).toEqual(['error', 'exit.supply']);
    expect(await compareAgain({}, failed)).toMatchObject([{ where: 'again.error' }]);
  });
});

describe('updating', () => {
  const PATH = 'x.expect.yml';

  async function update(text: string, round: SeenRound): Promise<{ text: string; met: readonly string[] }> {
    await using dir = await tree({ [PATH]: text });
    const path = join(dir.path, PATH);
    const next = await updatedExpectations(await readExpectations(path), { first: round });
    await writeFile(path, next);
    const read = await readExpectations(path);
    return { text: next, met: await wheres(read?.expectations ?? {}, round) };
  }

  it('writes what holds for what was seen, and nothing of the cache', async () => {
    const { text, met } = await update('', seen());
    expect(met).toEqual([]);
    expect(text).toContain('- deps/0/lib/a.so\n');
    expect(text).not.toContain('cache/');
  });

  it('keeps comments, what the fixture is given, and matchers that hold', async () => {
    const { text, met } = await update(
      '# why\nenv:\n  A: b\nlaunch_env:\n  PATH: { contains: /b } # loose\n  GONE: x\nprocesses: { web: old }\n',
      seen(),
    );
    expect(met).toEqual([]);
    expect(text).toMatch(/^# why\nenv:\n {2}A: b\n/);
    expect(text).toContain('contains: /b');
    expect(text).not.toContain('GONE');
    expect(text).not.toContain('old');
  });

  it('writes a failure as what is expected', async () => {
    expect((await update('processes: { web: x }\n', failed)).met).toEqual([]);
  });
});

describe('an expectations file', () => {
  it.each([
    ['a key that is not known', 'proceses: {}\n'],
    ['a pattern that is none', 'log: [{ matches: "(" }]\n'],
    ['a code that is none', 'error: NOPE\n'],
    ['no YAML', 'a: [\n'],
  ])('is refused with %s', async (_what, text) => {
    await using dir = await tree({ 'x.yml': text });
    await expect(readExpectations(join(dir.path, 'x.yml'))).rejects.toMatchObject({
      code: 'BUILDPACK_TEST_FAILED',
    });
  });
});
