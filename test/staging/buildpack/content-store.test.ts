import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { dir as temporary } from 'tmp-promise';
import { expect, it, vi } from 'vitest';
import { processLabel } from '../../../src/machine/host/process-label.ts';
import { ContentStore } from '../../../src/staging/buildpack/acquire/content-store.ts';
import { systemClock } from '../../../src/words/clock.ts';

/** Stands for what belongs to another user: the tests may run as root, who may remove everything. */
const STUCK = 'stuck';

vi.mock(import('../../../src/machine/host/remove-tree.ts'), async (original) => {
  const { removeTree } = await original();
  return {
    removeTree: async (path: string) => {
      if (path.includes(STUCK)) throw new Error('EPERM');
      await removeTree(path);
    },
  };
});

it('a leftover that can not be removed keeps nobody from the rest', async () => {
  const { path, cleanup } = await temporary({ unsafeCleanup: true });
  // Of a process that had this one's number, and began at another time.
  const dead = `${processLabel().replace(/\d+$/, '1')}.00.new`;
  for (const name of ['a', STUCK, 'z'])
    await mkdir(join(path, 'tmp', `${name}.${dead}`), { recursive: true });

  await new ContentStore(path, systemClock).sweep(async () => new Set(), new AbortController().signal);

  expect(await readdir(join(path, 'tmp'))).toEqual([`${STUCK}.${dead}`]);
  await cleanup();
});
