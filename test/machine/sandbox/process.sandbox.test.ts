/** A confined process, on this machine; ci-container.e2e.test.ts has it where it is for. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allPids } from '../../../src/machine/sandbox/kernel/processes.ts';
import type { Sandbox } from '../../../src/machine/sandbox/port/sandbox.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { SandboxFixture } from '../../support/sandbox-fixture.ts';

let fixture: SandboxFixture;
beforeAll(async () => {
  fixture = await SandboxFixture.open('process');
});
afterAll(() => fixture.close());

const hasLandlock = (): boolean => fixture.sandbox.description.includes('Landlock (version');
const python = (lines: readonly string[]) => ({
  argv: ['/usr/bin/python3', '-u', '-c', lines.join('\n')] as const,
});

describe('a confined process', () => {
  it('has no capability, no way to one, and a filter', async () => {
    const ran = await fixture.run({
      script: 'grep -E "^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Seccomp:)" /proc/self/status',
    });
    const lines = ran.stdout.toString().trim().split('\n');
    expect(lines.map((line) => line.replace(/\s+/, ' '))).toEqual([
      ...['CapInh', 'CapPrm', 'CapEff', 'CapAmb'].map((name) => `${name}: ${'0'.repeat(16)}`),
      'NoNewPrivs: 1',
      'Seccomp: 2',
    ]);
  });

  it.skipIf(!isRoot)(`has a user of its own, another for each staging${unlessRoot}`, async () => {
    const one = await fixture.sandbox.apart?.();
    const other = await fixture.sandbox.apart?.();
    const uids = [fixture.sandbox, one, other].map((sandbox: Sandbox | undefined) => sandbox?.owner.uid);
    expect(new Set(uids).size).toBe(3);
    const ran = await fixture.run({ script: 'id -u; id -G; cp /usr/bin/id id; chmod 6755 id; ./id -u' });
    const { uid } = fixture.sandbox.owner;
    expect(ran.stdout.toString()).toBe(`${uid}\n${uid}\n${uid}\n`);
    expect(uid).not.toBe(0);
  });

  it('gets its environment, its directory and its streams, and nothing more', async () => {
    const ran = await fixture.run({
      script: 'env | sort; pwd; ls /proc/$$/fd; echo out >/dev/stdout; echo err >/dev/stderr; exit 7',
      env: { A: '1', PATH: '/usr/bin:/bin' },
    });
    const text = ran.stdout.toString();
    expect(text).toMatch(/^A=1\n/);
    expect(text).not.toContain('STAGER');
    expect(text).toMatch(/\/app\n0\n1\n2\n(255\n)?out\n$/);
    expect(ran.stderr.toString()).toBe('err\n');
    expect(ran.report.outcome).toEqual({ kind: 'exited', code: 7 });
  });

  it('writes in its workspace and nowhere else, where the kernel has Landlock', async () => {
    if (!hasLandlock()) return;
    const workspace = fixture.workspace();
    const ran = await fixture.run({
      script:
        'touch mine && echo mine; for f in /tmp/x /var/tmp/x /dev/shm/x /x; do echo no >$f; done; mkdir a; mv mine a/',
      diskRoot: workspace,
      mounts: [{ source: workspace, target: '/work', writable: true }],
      cwd: '/work/app',
    });
    expect(ran.stdout.toString()).toBe('mine\n');
    expect(ran.text.match(/Permission denied/g)).toHaveLength(4);
    expect(statSync(join(workspace, 'app/a/mine')).uid).toBe(fixture.sandbox.owner.uid);
  });

  it('does not see the files of others: homes, other workspaces, the environment of stager', async () => {
    if (!hasLandlock()) return;
    const other = fixture.workspace();
    writeFileSync(join(other, 'theirs'), 'x', { mode: 0o644 });
    const script = `cat ${other}/theirs /proc/${process.pid}/environ; ls /root /home /srv /run`;
    const ran = await fixture.run({ script });
    expect(ran.stdout.toString()).toBe('');
  });

  it('can not end its caller', async () => {
    if (!hasLandlock() && !isRoot) return;
    const ran = await fixture.run({ script: `kill -9 ${process.pid}; kill -9 -1; echo still` });
    expect(ran.text).toContain('not permitted');
  });

  it.each([
    ['mount', 165],
    ['unshare', 272],
    ['ptrace', 101],
    ['bpf', 321],
    ['keyctl', 250],
    ['process_vm_readv', 310],
    ['setns', 308],
  ])('may not call %s', async (_, number) => {
    if (process.arch !== 'x64') return;
    const ran = await fixture.run(
      python([
        'import ctypes; l=ctypes.CDLL(None,use_errno=True)',
        `print(l.syscall(${number},0,0,0,0,0), ctypes.get_errno())`,
      ]),
    );
    expect(ran.stdout.toString()).toBe('-1 1\n');
  });

  it('can not take off what it is found by', async () => {
    const ran = await fixture.run(
      python([
        'import resource',
        'try:',
        '  resource.setrlimit(15, (1, 1)); print("changed")',
        'except Exception as e: print(type(e).__name__)',
        'resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); print(resource.getrlimit(resource.RLIMIT_NOFILE))',
      ]),
    );
    expect(ran.stdout.toString()).toMatch(/^(PermissionError|ValueError|OSError)\n\(64, 64\)\n$/);
  });

  it('has no network where none is asked for', async () => {
    const script = ['import socket', 'try: socket.socket()', 'except OSError as e: print(e.errno)'];
    const without = await fixture.run({ ...python(script), network: 'none' });
    const withHost = await fixture.run({ ...python(script), network: 'host' });
    expect(without.stdout.toString()).toBe('97\n');
    expect(withHost.stdout.toString()).toBe('');
  });

  it('leaves no daemon, whatever it does to its environment and sessions', async () => {
    const marker = `86401.${process.pid}`;
    const ran = await fixture.run({
      script: `setsid sh -c 'setsid env -i sleep ${marker} & exit 0' & sleep 0.3; echo done`,
    });
    expect(ran.stdout.toString()).toBe('done\n');
    expect(await commandsWith(marker)).toEqual([]);
  });

  it('is ended at its limits of time, memory, disk and processes', async () => {
    const late = await fixture.run({ script: "trap '' TERM; sleep 600", limits: { wallMs: 200 } });
    expect(late.report.outcome).toEqual({ kind: 'timed-out', limitMs: 200 });
    const eater = await fixture.run({
      script: 'x=$(head -c 256M /dev/zero | tr "\\0" x); sleep 600',
      limits: { memoryBytes: 64 * 1024 * 1024 },
    });
    expect(eater.report.outcome.kind).toBe('out-of-memory');
    const writer = await fixture.run({
      script: 'for i in 1 2 3 4 5 6; do head -c 4M /dev/zero >$i; done; sleep 600',
      limits: { diskBytes: 8 * 1024 * 1024 },
    });
    expect(writer.report.outcome.kind).toBe('out-of-disk');
    const fork = ['import os, time', 'for i in range(200):', '  if os.fork() == 0: time.sleep(600)'];
    const bomb = await fixture.run({ ...python(fork), limits: { pids: 20 } });
    expect(bomb.text).toContain('BlockingIOError');
  });

  it('is told why it can not start', async () => {
    const ran = await fixture.run({ argv: ['/usr/bin/no-such-program'] });
    expect(ran.report.outcome).toMatchObject({
      kind: 'not-started',
      reason: expect.stringContaining('no such file'),
    });
  });

  it('has no stack but the system', async () => {
    const failed = fixture.run({ rootfs: { kind: 'directory', path: '/var/empty' } });
    await expect(failed).rejects.toMatchObject({ code: 'SANDBOX_FAILED' });
  });
});

async function commandsWith(text: string): Promise<number[]> {
  return (await allPids()).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}
