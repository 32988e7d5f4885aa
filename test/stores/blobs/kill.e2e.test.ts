import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { KILLS, killMany, PATIENT } from './kill-rig.ts';

it(
  `has no incomplete blob after ${KILLS} kills at random points, goes on after each, and sweeps what is left`,
  PATIENT,
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'stager-kill-'));
    const address = join(root, 'store');
    try {
      await killMany({ address, root, kills: KILLS });
      const temporary = await readdir(join(address, '.tmp'), { recursive: true, withFileTypes: true });
      expect(temporary.filter((entry) => entry.isFile())).toEqual([]);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  },
);
