/** Attacks that once worked, each named after what it did. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ownGrants } from '../../../src/machine/sandbox/kernel/grants.ts';
import { selectSandbox } from '../../../src/machine/sandbox/select.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { type Ran, ROOMY, SandboxFixture } from '../../support/sandbox-fixture.ts';

function mayRaise(): boolean {
  const effective = /^CapEff:\s+(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${effective}`) & (1n << 24n)) !== 0n;
}

let fixture: SandboxFixture;
beforeAll(async () => {
  fixture = await SandboxFixture.open();
});
afterAll(() => fixture.close());

it.skipIf(!isRoot)(
  `a script that fills the disk of the machine below its limit is stopped by the reserve${unlessRoot}`,
  async () => {
    const small = join(fixture.home, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=755', 'tmpfs', small]);
    try {
      for (const path of [small, join(small, 'app'), join(small, 'home')]) {
        mkdirSync(path, { recursive: true });
        chownSync(path, fixture.sandbox.owner.uid, fixture.sandbox.owner.gid);
      }
      const { report } = await fixture.run({
        script: 'head -c 48M /dev/zero >filler; sleep 600',
        diskRoot: small,
        mounts: [{ source: small, target: '/tmp', writable: true }],
      });
      expect(report.outcome.kind).toBe('host-disk-full');
    } finally {
      execFileSync('umount', ['-l', small]);
    }
  },
);

const weak = !mayRaise() ? ' (not run: this root has no CAP_SYS_RESOURCE)' : '';
it.skipIf(weak !== '')(`oom_score_adj can not be lowered${weak}`, async () => {
  const ran = await fixture.run({ script: 'echo 0 >/proc/self/oom_score_adj; cat /proc/self/oom_score_adj' });
  expect(ran.stdout.toString()).toBe('500\n');
});

it("a runtime that gives stdin to vcap does not give it the machine's null device", async () => {
  const before = statSync('/dev/null');
  const { stdout } = await fixture.run({ script: 'cat /dev/stdin; wc -c' });
  expect(stdout.toString()).toBe('0\n');
  const crun = '/usr/bin/crun';
  if (existsSync(crun)) {
    const home = mkdtempSync('/var/tmp/stager-null-test-');
    chmodSync(home, 0o711);
    const { sandbox, close } = await selectSandbox({ wanted: 'oci', stateDir: home, runtimePath: crun });
    const workspace = fixture.workspace();
    const spec = {
      owner: 'null',
      argv: ['/bin/true'],
      env: {},
      cwd: '/',
      rootfs: { kind: 'host' },
      mounts: [],
      diskRoot: workspace,
      limits: ROOMY,
      network: 'none',
    } as const;
    await sandbox.run(spec, { signal: new AbortController().signal, onOutput: () => undefined });
    await close();
    rmSync(home, { recursive: true });
  }
  const after = statSync('/dev/null');
  expect([after.uid, after.gid]).toEqual([before.uid, before.gid]);
});

describe('what the kernel counts for each user', () => {
  /** Takes all that there is of a kind, in C's words through Python, and says how much that was. */
  const bombs = {
    'inotify instances': 'take = lambda: libc.inotify_init()',
    'pending signals': [
      'import signal',
      'signal.pthread_sigmask(signal.SIG_BLOCK, [40])',
      'take = lambda: libc.sigqueue(os.getpid(), 40, 0)',
    ].join('\n'),
    // Without a name a queue lives as long as its descriptor.
    'message queues': [
      'name = b"/stager-%d" % os.getpid()',
      'def take():',
      '  made = libc.mq_open(name, 0o102, 0o600, None)',
      '  libc.mq_unlink(name)',
      '  return made',
    ].join('\n'),
  };
  const program = (take: string, rest: string): string =>
    `import ctypes, os, time\nlibc = ctypes.CDLL(None)\n${take}\nn = 0\nwhile n < 20_000 and take() >= 0: n += 1\nprint(n, flush=True)\n${rest}`;

  it.skipIf(!isRoot).each(Object.entries(bombs))(
    `a bomb of %s takes nothing from root${unlessRoot}`,
    async (_, take) => {
      const hosts = (): number =>
        Number(execFileSync('python3', ['-c', program(take, '')], { encoding: 'utf8' }));
      const before = hosts();
      const controller = new AbortController();
      let during = 0;
      await fixture.run({
        argv: ['/usr/bin/python3', '-uc', program(take, 'time.sleep(600)')],
        limits: { openFiles: 4_096 },
        signal: controller.signal,
        onText: () => {
          during = hosts();
          controller.abort();
        },
      });
      // Other tests run beside this one and may hold some.
      expect(during).toBeGreaterThan(before / 2);
    },
  );

  // Root itself may have as many as it likes, so another staging is asked.
  it.skipIf(!isRoot)(`a bomb of pages of pipes takes nothing from another staging${unlessRoot}`, async () => {
    const take = [
      'import fcntl',
      'take = lambda: 0 if fcntl.fcntl(os.pipe()[1], fcntl.F_GETPIPE_SZ) == 65536 else -1',
    ].join('\n');
    const counted = async (rest: string, more: Partial<Parameters<typeof fixture.run>[0]> = {}) =>
      await fixture.run({
        argv: ['/usr/bin/python3', '-uc', program(take, rest)],
        limits: { openFiles: 8_192 },
        ...more,
      });
    await using other = await fixture.selection.sandbox.apart?.();
    const controller = new AbortController();
    let during: Promise<Ran> | undefined;
    const first = await counted('time.sleep(600)', {
      signal: controller.signal,
      onText: () => {
        during ??= counted('', { cwd: '/', mounts: [], ...(other !== undefined && { inside: other }) });
        void during.finally(() => controller.abort());
      },
    });
    const taken = Number(first.stdout.toString());
    // A pipe more would have had fewer pages: the limit was reached.
    expect(taken).toBeLessThan(4_096);
    expect(Number((await during)?.stdout.toString())).toBeGreaterThan(taken / 2);
  });

  it('user namespaces are not available, and so cannot be used up', async () => {
    const [unshare, clone] = process.arch === 'x64' ? [272, 56] : [97, 220];
    const python = [
      'import ctypes',
      'l = ctypes.CDLL(None, use_errno=True)',
      `print(l.unshare(0x10000000), l.syscall(${unshare}, 0x10000000), l.syscall(${clone}, 0x10000011, 0, 0, 0, 0))`,
    ].join('\n');
    const { stdout } = await fixture.run({ argv: ['/usr/bin/python3', '-c', python] });
    expect(stdout.toString()).toBe('-1 -1 -1\n');
  });

  it('key rings are not available, and so cannot be filled', async () => {
    const python =
      'import ctypes; l = ctypes.CDLL(None, use_errno=True); print(l.syscall(248, 0, 0, 0, 0, 0), ctypes.get_errno())';
    const { stdout } = await fixture.run({ argv: ['/usr/bin/python3', '-c', python] });
    expect(stdout.toString()).toBe(process.arch === 'x64' ? '-1 1\n' : '-1 38\n');
  });

  it.skipIf(!isRoot)(`belongs to users that no other staging has at the same time${unlessRoot}`, async () => {
    const { sandbox } = fixture.selection;
    const some = await Promise.all(Array.from({ length: 20 }, async () => await sandbox.apart?.()));
    const uids = new Set(some.map((one) => one?.owner.uid));
    expect(uids.size).toBe(20);
    expect(uids.has(fixture.sandbox.owner.uid)).toBe(false);
    for (const one of some) await one?.[Symbol.asyncDispose]();
  });

  it('is that of a kept workspace again when it is opened later', async () => {
    const { sandbox } = fixture.selection;
    await using first = await sandbox.apart?.();
    const uid = first?.owner.uid ?? 0;
    await first?.[Symbol.asyncDispose]();
    await using second = await sandbox.apart?.({ near: { uid, gid: uid } });
    expect(second?.owner.uid).toBe(uid);
  });
});

describe('stagers side by side', () => {
  it.skipIf(!isRoot)(`have users of their own, also without a staging${unlessRoot}`, () => {
    const script = `
      import { idPlans } from '${new URL('../../../src/machine/sandbox/kernel/ids.ts', import.meta.url).pathname}';
      console.log((await idPlans())[0].owner.uid);`;
    const uidOf = (): number =>
      Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
    const uids = [uidOf(), uidOf(), fixture.sandbox.owner.uid];
    expect(new Set(uids).size).toBe(3);
    for (const uid of uids) expect(uid).toBeGreaterThan(1_900_000_000);
    for (const uid of uids) expect(uid).toBeLessThan(2_147_352_576);
  });
});

it.each([256, 4_096, 20_000])(
  'a stager with %d open files and small files, and without the right to raise them, grants those',
  (files) => {
    const module = new URL('../../../src/machine/sandbox/kernel/grants.ts', import.meta.url).pathname;
    const script = `import { ownGrants } from '${module}'; console.log(JSON.stringify(await ownGrants()));`;
    const shell = `ulimit -n ${files}; ulimit -f 2048; exec ${isRoot ? 'setpriv --bounding-set -sys_resource ' : ''}"$@"`;
    const node = [process.execPath, '--input-type=module', '-e', script];
    const ran = spawnSync('sh', ['-c', shell, 'sh', ...node], { encoding: 'utf8' });
    expect(JSON.parse(ran.stdout)).toMatchObject({ openFiles: files, fileSize: 2048 * 512 });
  },
);

it('a stager that may raise them grants what is asked', async () => {
  expect((await ownGrants()).openFiles).toBeGreaterThan(16_384);
});
