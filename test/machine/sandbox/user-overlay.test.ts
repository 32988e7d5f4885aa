/**
 * What the kernel gives an ordinary user of overlayfs, which is why the apps of ordinary users are copied. When it gives
 * more some day, this fails, and they need not be any longer.
 */
import { spawnSync } from 'node:child_process';
import { chmod, chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MountedVolumes } from '../../../src/machine/sandbox/volume/volumes.ts';

const OWN = process.getuid?.() ?? 0;
const NOBODY = 65_534;
const ids = OWN === 0 ? { uid: NOBODY, gid: NOBODY } : {};

/** In a user namespace, as its root. */
function inNamespace(script: string, cwd = '/'): { readonly status: number | null; readonly said: string } {
  const command = ['--user', '--map-root-user', '--mount', '/bin/sh', '-ec', script];
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
  const ran = spawnSync('/usr/bin/unshare', command, { ...ids, cwd, env, encoding: 'utf8' });
  return { status: ran.status, said: `${ran.stdout ?? ''}${ran.stderr ?? ''}` };
}

const tried = inNamespace('true');
const why = tried.status === 0 ? undefined : `no user namespace can be made: ${tried.said}`;
if (why !== undefined) process.stderr.write(`\nNOT RUN: overlayfs of an ordinary user: ${why}\n\n`);

describe.skipIf(why !== undefined)(
  `overlayfs of an ordinary user${why === undefined ? '' : ` (NOT RUN: ${why})`}`,
  () => {
    let temp: DirectoryResult;
    beforeAll(async () => {
      temp = await tempDir({ unsafeCleanup: true });
      await chmod(temp.path, 0o755);
      for (const name of ['', 'below', 'below/directory', 'above', 'work', 'at']) {
        const path = join(temp.path, 'user', name);
        await mkdir(path);
        if (OWN === 0) await chown(path, NOBODY, NOBODY);
      }
    });
    afterAll(() => temp.cleanup());
    const mounted = (options: string, then: string) =>
      inNamespace(
        `mount -t overlay -o lowerdir=below,upperdir=above,workdir=work,${options} overlay at; ${then}`,
        join(temp.path, 'user'),
      );

    it('can not be mounted so that directories are renamed', () => {
      for (const options of ['redirect_dir=on', 'userxattr,redirect_dir=on'])
        expect(mounted(options, 'true').status).not.toBe(0);
    });

    it('can be mounted otherwise, and then refuses to rename a directory of the tree', () => {
      const rename = "perl -e 'rename(q(at/directory), q(at/other)) or print $!{EXDEV} ? q(EXDEV) : $!'";
      expect(mounted('userxattr', rename)).toEqual({ status: 0, said: 'EXDEV' });
    });
  },
);

describe.skipIf(OWN === 0)(`volumes of an ordinary user${OWN === 0 ? ' (NOT RUN: as root)' : ''}`, () => {
  it('have no layers, and say why', async () => {
    await using temp = await tempDir().then((made) => ({
      path: made.path,
      [Symbol.asyncDispose]: () => made.cleanup(),
    }));
    const volumes = await MountedVolumes.open({ wanted: 'auto', home: temp.path });
    expect(volumes.layers).toBeUndefined();
    expect(volumes.whyNoLayers).toContain("can't rename directories");
  });
});
