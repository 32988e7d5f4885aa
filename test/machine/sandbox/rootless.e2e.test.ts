/**
 * stager as an ordinary user. The tests run as root, so the user is `nobody`, who has neither a cgroup nor subordinate
 * ids: the poorest way that a machine offers. Where nobody may not make a user namespace, it says so and is skipped.
 */
import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, stageArgs } from '../../support/cli.ts';

const NOBODY = 65_534;
const uid = { uid: NOBODY };
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Why it can't be tried here; asked of the kernel, not of stager. */
function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'the tests do not run as root';
  const asNobody = { uid: NOBODY, gid: NOBODY, cwd: '/', encoding: 'utf8' } as const;
  const reads = spawnSync(
    'ls',
    [join(ROOT, 'bin/stager'), join(ROOT, 'dist/programs/bin/stager.cjs')],
    asNobody,
  );
  if (reads.status !== 0) return `nobody cannot read ${ROOT}`;
  const proc = 'mount -t proc proc /proc';
  const space = spawnSync(
    'unshare',
    ['--user', '--map-root-user', '--mount', '--pid', '--fork', 'sh', '-c', proc],
    asNobody,
  );
  if (space.status === 0) return undefined;
  return `nobody gets no namespaces: ${space.stderr || space.error?.message}`;
}

const reason = whyNot();
let cli: Cli;
let app: string;

beforeAll(async () => {
  cli = await Cli.make();
  app = await cli.app('app');
  mkdirSync(join(cli.dir, 'cache'));
  for (const path of [cli.dir, cli.home, join(cli.dir, 'cache')]) chownSync(path, NOBODY, NOBODY);
});

afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

describe.skipIf(reason !== undefined)(
  `an ordinary user${reason === undefined ? '' : ` (not run: ${reason})`}`,
  () => {
    it('stages in a sandbox that shows what root does, and is told which limits do not hold', async () => {
      const script = [
        'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status',
        'test -e /etc/shadow || echo no shadow',
        `test -e ${cli.dir} || echo no home of the caller`,
        'touch /usr/x 2>/dev/null || echo nothing of the stack is writable',
        'chown 1 "$1/index.html" 2>/dev/null || echo one user only',
        'mount -t tmpfs none /tmp/home 2>/dev/null || echo no mounts',
        'setsid sleep 86397 &',
      ].join('; ');
      const { code, stdout, stderr } = await cli.stage(app, { SUPPLY: script }, [], uid);
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('the memory limit') });
      for (const line of [
        /CapEff:\s0{16}/,
        /NoNewPrivs:\s1/,
        /Seccomp:\s2/,
        /^no shadow$/m,
        /^no home of the caller$/m,
        /^nothing of the stack is writable$/m,
        /^one user only$/m,
        /^no mounts$/m,
      ]) {
        expect(stdout).toMatch(line);
      }
      expect(await cli.leftovers()).toEqual([]);
    });

    it('runs the droplet, and Ctrl-C leaves nothing', async () => {
      expect(await cli.run(['run', '--', 'cat index.html; id -un'], uid)).toMatchObject({
        code: 0,
        stdout: 'hellovcap\n',
      });
      const running = cli.start(stageArgs(app, { SUPPLY: "trap '' TERM INT; echo begun; sleep 1000" }), uid);
      await running.says(/begun/);
      running.interrupt();
      expect((await running.ended).code).toBe(130);
      expect(await cli.leftovers()).toEqual([]);
    });

    it('ends with 16 and names the file that it may not read', async () => {
      const root = await cli.app('secret', { 'a.txt': 'a' });
      await chmod(join(root, 'a.txt'), 0);
      const { code, stderr } = await cli.run(stageArgs(root), uid);
      expect({ code, stderr }).toEqual({
        code: 16,
        stderr: expect.stringMatching(/^error SOURCE_UNREADABLE \(app\).*a\.txt/m),
      });
    });
  },
);
