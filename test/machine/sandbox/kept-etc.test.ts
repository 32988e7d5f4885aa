/** Copies of an /etc that stay for later stagings. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ETC, keptEtc } from '../../../src/machine/sandbox/oci/kept-etc.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

function machine(): {
  readonly etc: string;
  readonly stateDir: string;
  /** The copy that a process gets, `after` so many milliseconds. */
  copy(
    process: string,
    how?: { readonly after?: number; readonly points?: readonly string[] },
  ): Promise<string>;
} {
  const directory = mkdtempSync(join(tmpdir(), 'stager-etc-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const [root, stateDir] = [join(directory, 'root'), join(directory, 'state')];
  const etc = join(root, 'etc');
  mkdirSync(join(etc, 'ssl'), { recursive: true });
  mkdirSync(stateDir);
  writeFileSync(join(etc, 'profile'), 'one\n', { mode: 0o644 });
  symlinkSync('../profile', join(etc, 'ssl/link'));
  return {
    etc,
    stateDir,
    copy: async (process, { after = MINUTE, points = [] } = {}) => {
      const home = join(stateDir, process);
      mkdirSync(join(home, ETC), { recursive: true });
      const user = { uid: 2000, gid: 2000 };
      const wanted = points.map((path) => ({ path, directory: true }));
      return await keptEtc(
        { root, allowListOnly: false, user, points: wanted },
        { stateDir, home, now: Date.now() + after },
      );
    },
  };
}

const copiesIn = (stateDir: string): string[] =>
  readdirSync(join(stateDir, ETC))
    .map((name) => join(stateDir, ETC, name, 'tree'))
    .toSorted();

it('makes one copy for all processes', async () => {
  const { copy, stateDir } = machine();
  const first = await copy('a');
  const made = statSync(join(first, 'profile')).ino;
  expect(await copy('b')).toBe(first);
  expect(statSync(join(first, 'profile')).ino).toBe(made);
  expect(copiesIn(stateDir)).toEqual([first]);
});

it('makes one copy when all begin at the same moment, and takes it from nobody', async () => {
  const { copy, stateDir } = machine();
  const all = await Promise.all(
    Array.from({ length: 12 }, async (_, at) => {
      const path = await copy(`p${at}`);
      return [path, statSync(join(path, 'profile')).ino] as const;
    }),
  );
  const [kept] = copiesIn(stateDir);
  expect(copiesIn(stateDir)).toHaveLength(1);
  for (const [path, made] of all) {
    expect(path).toBe(kept);
    expect(statSync(join(path, 'profile')).ino).toBe(made);
  }
});

it('makes another when a file has changed, or a link, or what is mounted over it', async () => {
  const { copy, etc } = machine();
  const first = await copy('a');
  writeFileSync(join(etc, 'profile'), 'two\n');
  const second = await copy('b');
  rmSync(join(etc, 'ssl/link'));
  symlinkSync('elsewhere', join(etc, 'ssl/link'));
  const third = await copy('c');
  const fourth = await copy('d', { points: ['/stager'] });
  expect(new Set([first, second, third, fourth]).size).toBe(4);
  expect(readFileSync(join(second, 'profile'), 'utf8')).toBe('two\n');
  expect(statSync(join(fourth, 'stager')).isDirectory()).toBe(true);
  expect(readdirSync(third)).not.toContain('stager');
});

it('makes one again that somebody wrote to', async () => {
  const { copy } = machine();
  const first = await copy('a');
  writeFileSync(join(first, 'profile'), 'damaged\n');
  expect(await copy('b')).toBe(first);
  expect(readFileSync(join(first, 'profile'), 'utf8')).toBe('one\n');
});

it('keeps no copy of what has changed in this moment', async () => {
  const { copy, stateDir } = machine();
  expect(await copy('a', { after: 0 })).toContain(join(stateDir, 'a'));
});

it('removes a copy that nobody has taken for long, and none that a process may be showing', async () => {
  const { copy, etc, stateDir } = machine();
  const unused = await copy('a');
  writeFileSync(join(etc, 'profile'), 'two\n');
  const shown = await copy('b');
  rmSync(join(stateDir, 'a'), { recursive: true });
  writeFileSync(join(etc, 'profile'), 'three\n');
  const current = await copy('c', { after: 2 * DAY });
  expect(copiesIn(stateDir)).not.toContain(unused);
  expect(copiesIn(stateDir)).toEqual([shown, current].toSorted());
});
