import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkLayout, checkServedLayout, repairLayout } from '../../../src/machine/host/data-layout.ts';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'stager-layout-'));
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

const WAYS = {
  'a file': (path: string) => writeFile(path, 'in the way'),
  'a dangling link': (path: string) => symlink('/nowhere/at/all', path),
  'a link to itself': (path: string) => symlink(path, path),
};

describe('the layout of a data home', () => {
  it('is right when nothing is there, and when directories are links to directories', async () => {
    await checkLayout(home);
    await mkdir(join(home, 'elsewhere'));
    for (const name of ['stagings', 'blobs', 'members']) await symlink('elsewhere', join(home, name));
    await checkLayout(home);
  });

  it('is right while claims come and go', async () => {
    const claim = join(home, 'buildpacks/index.lock');
    await mkdir(join(home, 'buildpacks'));
    let done = false;
    const others = (async () => {
      while (!done) {
        await writeFile(claim, '');
        await rm(claim);
      }
    })();
    for (let n = 0; n < 300; n++) await checkLayout(home);
    done = true;
    await others;
  });

  const places = ['stagings', 'stacks', 'stacks/names', 'buildpacks/store', 'members/tmp', 'workspaces'];
  it.each(
    places.flatMap((place) => Object.entries(WAYS).map(([what, make]) => [place, what, make] as const)),
  )('%s as %s is named, with a repair that loses nothing and works', async (place, _, make) => {
    const path = join(home, place);
    await mkdir(join(path, '..'), { recursive: true });
    await make(path);
    await expect(checkLayout(home)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(path),
      next: expect.stringContaining('doctor --repair'),
    });
    expect(await repairLayout(home)).toEqual([expect.stringContaining(path)]);
    await checkLayout(home);
    expect(await readdir(path)).toEqual([]);
    expect((await readdir(join(path, '..'))).filter((name) => name.includes('.aside-'))).toHaveLength(1);
  });

  it.each(
    ['database', 'blobs', 'uploads', 'stagings'].flatMap((place) =>
      Object.entries(WAYS).map(([what, make]) => [place, what, make] as const),
    ),
  )('of a server: %s as %s is named, and left alone', async (place, _, make) => {
    const path = join(home, place);
    await make(path);
    await expect(checkServedLayout(home)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(path),
      next: expect.stringContaining('Mount or restore'),
    });
  });

  it.each(Object.entries(WAYS))('of a server, %s as a whole, is named', async (_, make) => {
    const path = join(home, 'all of it');
    await make(path);
    await expect(checkServedLayout(path)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(path),
    });
  });

  it('has no blobs made again: what is missing there is a disk that is not mounted', async () => {
    await symlink('/mnt/not/mounted', join(home, 'blobs'));
    await expect(checkLayout(home)).rejects.toMatchObject({ next: expect.stringContaining('Mount') });
    expect(await repairLayout(home)).toEqual([]);
  });

  it('has a directory in the place of the list of buildpacks moved aside', async () => {
    await mkdir(join(home, 'buildpacks/index.json'), { recursive: true });
    await expect(checkLayout(home)).rejects.toMatchObject({ message: expect.stringContaining('index.json') });
    await repairLayout(home);
    await checkLayout(home);
  });
});
