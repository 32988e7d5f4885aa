import { Readable } from 'node:stream';
import { createGzip, createZstdCompress } from 'node:zlib';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { foldersOfTarball } from '../../../src/service/builds/droplet-folders.ts';

const { signal } = new AbortController();

/** A tar of files of these sizes. */
function tarOf(files: Readonly<Record<string, number>>): Readable {
  const tar = pack();
  for (const [name, size] of Object.entries(files)) tar.entry({ name }, Buffer.alloc(size));
  tar.entry({ name: 'app/link', type: 'symlink', linkname: '/etc/passwd' });
  tar.finalize();
  return Readable.from(tar, { objectMode: false });
}

const FILES = { './app/a.txt': 10, 'app/b/c.txt': 20, './deps/0/bin/x': 30, './staging_info.yml': 5 };

describe('the folders of a droplet', () => {
  it('are added up from its tarball, however that is compressed', async () => {
    const leaf = (name: string, bytes: number) => ({ name, bytes, files: 1, folders: [] });
    const wanted = {
      name: '',
      bytes: 65,
      files: 4,
      folders: [
        { name: 'app', bytes: 30, files: 2, folders: [leaf('b', 20)] },
        {
          name: 'deps',
          bytes: 30,
          files: 1,
          folders: [{ name: '0', bytes: 30, files: 1, folders: [leaf('bin', 30)] }],
        },
      ],
    };
    expect(await foldersOfTarball(tarOf(FILES), signal)).toEqual(wanted);
    expect(await foldersOfTarball(tarOf(FILES).pipe(createGzip()), signal)).toEqual(wanted);
    expect(await foldersOfTarball(tarOf(FILES).pipe(createZstdCompress()), signal)).toEqual(wanted);
  });

  it('are bounded: what is deeper or smaller than is kept counts for the folder above', async () => {
    const deep = await foldersOfTarball(tarOf({ [`${'d/'.repeat(40)}file`]: 7 }), signal);
    let [levels, at] = [0, deep];
    for (let below = at.folders[0]; below !== undefined; below = at.folders[0])
      [levels, at] = [levels + 1, below];
    expect({ levels, bytes: at.bytes }).toEqual({ levels: 6, bytes: 7 });
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`app/${n}/file`, n]));
    const wide = await foldersOfTarball(tarOf(many), signal);
    const [app] = wide.folders;
    expect(app?.folders.length).toBeLessThanOrEqual(2000);
    expect(app?.folders.every(({ bytes }) => bytes >= 1000)).toBe(true);
    expect({ bytes: app?.bytes, files: app?.files }).toEqual({ bytes: (2999 * 3000) / 2, files: 3000 });
  });

  it('are not made up for what is not a tarball, or damaged', async () => {
    const read = (bytes: Buffer) => foldersOfTarball(Readable.from([bytes]), signal);
    await expect(read(Buffer.from('droplet of shop'))).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
    await expect(read(Buffer.from('1f8b0800', 'hex'))).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
    await expect(read(Buffer.alloc(700, 'x'))).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
  });

  it('have names that a database takes', async () => {
    const { folders } = await foldersOfTarball(tarOf({ [`${'n'.repeat(240)}/x`]: 1 }), signal);
    expect(folders[0]?.name).toHaveLength(200);
  });
});
