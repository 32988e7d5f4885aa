import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { withClaim } from '../../../src/machine/host/file-claim.ts';
import { ownIdentity } from '../../../src/machine/host/process-identity.ts';
import { asidePath, sweepDead } from '../../../src/machine/host/process-label.ts';
import { systemClock } from '../../../src/words/clock.ts';

const module = fileURLToPath(new URL('../../../src/machine/host/process-label.ts', import.meta.url));
const signal = new AbortController().signal;
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-label-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

it('removes what dead processes left, files and trees, and nothing else', async () => {
  const program = `
    import { mkdirSync, writeFileSync } from 'node:fs';
    import { asidePath } from ${JSON.stringify(module)};
    writeFileSync(asidePath(${JSON.stringify(join(dir, 'file'))}), '');
    mkdirSync(asidePath(${JSON.stringify(join(dir, 'tree'))}) + '/deep', { recursive: true });
    process.kill(process.pid, 'SIGKILL');
  `;
  spawnSync(process.execPath, ['--input-type=module', '--eval', program]);
  const dead = await readdir(dir);
  expect(dead).toHaveLength(2);
  const mine = asidePath(join(dir, 'mine'));
  await writeFile(mine, '');
  await writeFile(join(dir, 'index.json'), '');
  await sweepDead([dir, join(dir, 'nowhere')]);
  expect((await readdir(dir)).toSorted()).toEqual(['index.json', mine.slice(dir.length + 1)].toSorted());
});

it.each(['a directory', 'a dangling link'])(
  'a claim that is %s is refused at once, by name',
  async (what) => {
    const path = join(dir, 'store.lock');
    await (what === 'a directory'
      ? mkdir(path)
      : import('node:fs/promises').then((fs) => fs.symlink('/nowhere', path)));
    await expect(withClaim(path, { clock: systemClock, signal }, async () => 1)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(path),
    });
    expect(existsSync(path) || what !== 'a directory').toBe(true);
  },
);

it('a claim whose owner is out of sight is waited for, and then what may be removed is named', async () => {
  const path = join(dir, 'store.lock');
  await writeFile(path, JSON.stringify({ ...ownIdentity(), host: 'another-machine' }));
  await expect(
    withClaim(path, { clock: systemClock, signal, waitMs: 50 }, async () => 1),
  ).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    next: expect.stringContaining(`remove ${path}`),
  });
  await rm(path);
  expect(await withClaim(path, { clock: systemClock, signal }, async () => 1)).toBe(1);
});
