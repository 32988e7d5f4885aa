/**
 * A command that has the caller's streams, started by crun as root, which makes vcap the owner of what it is given. It has a null
 * device of this test's own in the place of the machine's.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { firstExecutable } from '../../../src/machine/sandbox/kernel/programs.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { Cli, TOLD } from '../../support/cli.ts';

const crun = await firstExecutable('crun', ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin']);
const why = isRoot && crun === undefined ? ' (not run: crun is not installed)' : unlessRoot;

/** $DIR has the device; the last line of its file `owner` is who owns it in the end. */
const OWN_NULL = `exec unshare --mount sh -c '
mount -t tmpfs none /mnt && mknod -m 666 /mnt/null c 1 3 && mount --bind /mnt/null /dev/null || exit 97
"$0" "$@" </dev/null >"$DIR/out" 2>/dev/null; status=$?
stat -c %u /dev/null >"$DIR/owner"; exit $status' "$0" "$@"`;

it.skipIf(why !== '')(`the null device and files stay their owner's${why}`, async () => {
  const { cli, app } = await Cli.withApp();
  await using _ = cli;
  const out = join(cli.dir, 'out');
  writeFileSync(out, '');
  const command = ['shell', app, '-b', TOLD, '--runtime', 'crun', '--command', 'id -u; cat'];
  const { code } = await cli.run(command, { shell: OWN_NULL, env: { DIR: cli.dir } });
  expect(code).toBe(0);
  expect(readFileSync(out, 'utf8')).toMatch(/^2000$/m);
  expect(readFileSync(join(cli.dir, 'owner'), 'utf8')).toBe('0\n');
  expect(statSync(out).uid).toBe(0);
});
