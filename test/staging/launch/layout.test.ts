import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepareRun, type RunDirs, runDirsAt, runMounts } from '../../../src/staging/launch/layout.ts';

let root: string;
let dirs: RunDirs;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-layout-'));
  dirs = runDirsAt(join(root, 'run'));
  await mkdir(join(dirs.home, 'app'), { recursive: true });
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

describe('the directories of a run', () => {
  it('are the droplet at /home/vcap and a private /tmp, both below one root for the disk limit', async () => {
    expect(runMounts(dirs)).toEqual([
      { source: join(dirs.root, 'home'), target: '/home/vcap', writable: true },
      { source: join(dirs.root, 'tmp'), target: '/tmp', writable: true },
    ]);
  });

  it('get what the droplet lacks, for everybody in the private /tmp', async () => {
    await prepareRun(dirs, owner);
    expect((await readdir(dirs.home)).sort()).toEqual(['app', 'deps', 'logs', 'tmp']);
    expect((await stat(dirs.tmp)).mode & 0o7777).toBe(0o1777);
  });

  it('keep what the droplet has, and are made once only', async () => {
    await mkdir(join(dirs.home, 'tmp'));
    await writeFile(join(dirs.home, 'tmp', 'kept'), 'x');
    await prepareRun(dirs, owner);
    await prepareRun(dirs, owner);
    expect(await readdir(join(dirs.home, 'tmp'))).toEqual(['kept']);
  });

  it('lead nowhere on the host through links of the droplet', async () => {
    const victim = join(root, 'victim');
    await mkdir(victim, { mode: 0o700 });
    const before = await stat(victim);
    for (const name of ['tmp', 'logs', 'deps']) await symlink(victim, join(dirs.home, name));
    await prepareRun(dirs, {
      uid: owner.uid === 0 ? 2000 : owner.uid,
      gid: owner.gid === 0 ? 2000 : owner.gid,
    });
    const after = await stat(victim);
    expect([after.mode, after.uid, after.gid]).toEqual([before.mode, before.uid, before.gid]);
    expect(await readdir(victim)).toEqual([]);
  });

  it('need an app that is a directory of the droplet itself', async () => {
    await rm(join(dirs.home, 'app'), { recursive: true });
    await expect(prepareRun(dirs, owner)).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
    await symlink('/etc', join(dirs.home, 'app'));
    await expect(prepareRun(dirs, owner)).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
  });
});
