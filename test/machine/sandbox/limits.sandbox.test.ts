import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isHeld, planCgroups } from '../../../src/machine/sandbox/kernel/cgroups.ts';
import { cgroupsOf, SandboxFixture } from '../../support/sandbox-fixture.ts';

let fixture: SandboxFixture;
beforeAll(async () => {
  fixture = await SandboxFixture.open();
});
afterAll(async () => {
  await fixture.close();
});

const MIB = 1024 * 1024;
const isMemoryHeld = isHeld(await planCgroups(), 'memory');
const unlessHeld = isMemoryHeld ? '' : ' (not run: no cgroup holds memory here)';

describe('limits', () => {
  it('a fork bomb ends at the limit of processes', async () => {
    const script = 'bomb() { bomb | bomb & }; bomb; sleep 1; echo survived';
    const { report } = await fixture.run({ script, limits: { pids: 50 } });
    expect(['exited', 'timed-out', 'signalled']).toContain(report.outcome.kind);
    const after = await fixture.run({ script: 'echo still here' });
    expect(after.stdout.toString()).toBe('still here\n');
  });

  it('never lets more processes live than the limit', async () => {
    const python = [
      'import os, time',
      'made = 0',
      'try:',
      '    while made < 200:',
      '        if os.fork() == 0: time.sleep(600)',
      '        made += 1',
      'except BlockingIOError: print("refused after", made)',
    ].join('\n');
    const { stdout } = await fixture.run({ argv: ['/usr/bin/python3', '-c', python], limits: { pids: 40 } });
    const [, made] = /^refused after (\d+)\n$/.exec(stdout.toString()) ?? [];
    expect(Number(made)).toBeGreaterThan(20);
    expect(Number(made)).toBeLessThan(40);
  });

  it('a memory bomb is reported as such, with the limit and the peak', async () => {
    const { report } = await fixture.run({
      argv: ['/usr/bin/python3', '-c', 'x = [bytearray(1 << 20) for _ in range(4096)]'],
      limits: { memoryBytes: 64 * MIB },
    });
    expect(report.outcome).toEqual({ kind: 'out-of-memory', limitBytes: 64 * MIB });
    expect(report.peakMemoryBytes).toBeGreaterThan(60 * MIB);
    if (isMemoryHeld) expect(report.peakMemoryBytes).toBeLessThanOrEqual(64 * MIB);
  });

  it('a SIGKILL that somebody else sent is not out of memory', async () => {
    const { report } = await fixture.run({ script: 'kill -KILL $$' });
    expect(report.outcome).toEqual({ kind: 'signalled', signal: 'SIGKILL' });
  });

  it.skipIf(!isMemoryHeld)(
    `a script that copes with the death of a hungry child goes on${unlessHeld}`,
    async () => {
      const script = 'python3 -c "x = bytearray(1 << 30)" || echo coped';
      const { report, stdout } = await fixture.run({ script, limits: { memoryBytes: 64 * MIB } });
      expect(stdout.toString()).toBe('coped\n');
      expect(report.outcome).toEqual({ kind: 'exited', code: 0 });
    },
  );

  it('a disk bomb of many files is stopped, and the largest directories are named', async () => {
    const script =
      'mkdir -p /tmp/contents/deps/0 /tmp/cache; head -c 8M /dev/zero > /tmp/cache/a; ' +
      'i=0; while :; do head -c 4M /dev/zero > /tmp/contents/deps/0/$i; i=$((i+1)); sleep 0.02; done';
    const { report } = await fixture.run({ script, limits: { diskBytes: 64 * MIB } });
    if (report.outcome.kind !== 'out-of-disk') throw new Error(JSON.stringify(report));
    expect(report.outcome.limitBytes).toBe(64 * MIB);
    expect(report.outcome.usedBytes).toBeGreaterThan(64 * MIB);
    expect(report.outcome.largest.map(({ path }) => path)).toEqual(['contents/deps/0', 'cache']);
    expect(report.peakDiskBytes).toBeGreaterThan(64 * MIB);
  });

  it('a disk bomb of one file is stopped at the limit', async () => {
    const { report } = await fixture.run({
      script: 'exec head -c 1G /dev/zero > huge',
      limits: { diskBytes: 32 * MIB },
    });
    if (report.outcome.kind !== 'out-of-disk') throw new Error(JSON.stringify(report));
    expect(report.outcome.usedBytes).toBeLessThanOrEqual(33 * MIB);
  });

  it('a disk bomb of files that were deleted and are still open is found', async () => {
    const python = [
      'import os, time',
      'held = []',
      'for i in range(64):',
      '    f = open("x", "wb"); os.unlink("x"); f.write(bytes(4 << 20)); f.flush(); held.append(f); time.sleep(0.01)',
      'time.sleep(600)',
    ].join('\n');
    const { report } = await fixture.run({
      argv: ['/usr/bin/python3', '-c', python],
      limits: { diskBytes: 64 * MIB },
    });
    expect(report.outcome.kind).toBe('out-of-disk');
  });

  it('a bomb of empty files is stopped, and the fullest directories are named', async () => {
    const python = [
      'import os, time',
      'os.makedirs("/tmp/cache/deep")',
      'for i in range(30_000): os.close(os.open(f"/tmp/cache/deep/{i}", os.O_CREAT))',
      'time.sleep(600)',
    ].join('\n');
    const { report } = await fixture.run({
      argv: ['/usr/bin/python3', '-c', python],
      limits: { files: 20_000 },
    });
    if (report.outcome.kind !== 'too-many-files') throw new Error(JSON.stringify(report));
    expect(report.outcome.limitFiles).toBe(20_000);
    expect(report.outcome.files).toBeGreaterThan(20_000);
    expect(report.outcome.fullest.map(({ path }) => path)).toEqual(['cache/deep']);
  });

  it('what a quick script wrote over the limit is found after its end', async () => {
    const { report } = await fixture.run({
      script: 'for i in 1 2 3; do head -c 16M /dev/zero > f$i; done',
      limits: { diskBytes: 32 * MIB },
    });
    expect(report.outcome.kind).toBe('out-of-disk');
  });

  it('an endless script is stopped when its time is up', async () => {
    const { report } = await fixture.run({ script: 'while :; do :; done', limits: { wallMs: 300 } });
    expect(report.outcome).toEqual({ kind: 'timed-out', limitMs: 300 });
  });

  it('a script is asked to stop first when it has grace', async () => {
    const script = 'trap "echo asked; exit 0" TERM; echo ready; while :; do sleep 0.05; done';
    const { report, stdout } = await fixture.run({ script, limits: { wallMs: 3_000 }, graceMs: 20_000 });
    expect(report.outcome).toEqual({ kind: 'timed-out', limitMs: 3_000 });
    expect(stdout.toString()).toContain('asked');
  });

  it('a script that ignores SIGTERM is killed after its grace', async () => {
    const script = 'trap "" TERM; while :; do sleep 0.05; done';
    const { report } = await fixture.run({ script, limits: { wallMs: 300 }, graceMs: 200 });
    expect(report.outcome).toEqual({ kind: 'timed-out', limitMs: 300 });
  });

  it('a cancelled script ends at once', async () => {
    const controller = new AbortController();
    const { report } = await fixture.run({
      script: 'echo ready; sleep 600',
      signal: controller.signal,
      onText: () => controller.abort(),
    });
    expect(report.outcome).toEqual({ kind: 'cancelled' });
  });

  it('a run that is cancelled before it began starts nothing', async () => {
    const { report, text } = await fixture.run({ script: 'echo never', signal: AbortSignal.abort() });
    expect(report.outcome).toEqual({ kind: 'cancelled' });
    expect(text).toBe('');
  });

  it('cancelling while the container is being made leaves nothing', async () => {
    for (const delayMs of [1, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60]) {
      const signal = AbortSignal.timeout(delayMs);
      const { report } = await fixture.run({ owner: 'hasty', script: 'sleep 600', signal });
      expect(report.outcome).toEqual({ kind: 'cancelled' });
    }
    expect(await cgroupsOf('hasty')).toEqual([]);
  });

  it('open files are limited', async () => {
    const { stdout } = await fixture.run({ script: 'ulimit -n; ulimit -c', limits: { openFiles: 333 } });
    expect(stdout.toString()).toBe('333\n0\n');
  });
});

describe('a command', () => {
  it('gives its bytes unchanged, each stream for itself', async () => {
    const workspace = fixture.workspace();
    const bytes = randomBytes(3 * MIB);
    writeFileSync(join(workspace, 'app', 'bytes'), bytes);
    const { stdout, stderr } = await fixture.run({
      script: 'cat bytes; head -c 1000 bytes >&2',
      diskRoot: workspace,
    });
    expect(stdout.equals(bytes)).toBe(true);
    expect(stderr.equals(bytes.subarray(0, 1000))).toBe(true);
  });

  it('can open /dev/stdout and /dev/stderr and reads nothing from stdin', async () => {
    const script = 'echo out > /dev/stdout; echo err | tee /dev/stderr > /dev/null; wc -c';
    const { stdout, stderr } = await fixture.run({ script });
    expect([stdout.toString(), stderr.toString()]).toEqual(['out\n0\n', 'err\n']);
  });

  it('gets SIGTERM itself, and its exit code is kept', async () => {
    const { report } = await fixture.run({
      owner: 'signalled',
      script: 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done',
      onText: (text) => {
        if (text === 'ready\n') void fixture.sandbox.signal('signalled', 'SIGTERM');
      },
    });
    expect(report.outcome).toEqual({ kind: 'exited', code: 7 });
  });

  it('dies of a signal that it does not handle, as it would outside', async () => {
    const { report, text } = await fixture.run({
      owner: 'dying',
      // One write: print makes two of the line when it has no buffer.
      argv: ['/usr/bin/python3', '-uc', 'import os, time; os.write(1, b"ready\\n"); time.sleep(600)'],
      onText: () => void fixture.sandbox.signal('dying', 'SIGTERM'),
    });
    expect(report.outcome).toEqual({ kind: 'signalled', signal: 'SIGTERM' });
    expect(text).toBe('ready\n');
  });

  it.each([0, 1, 42, 127, 255])('keeps exit code %i', async (code) => {
    const { report } = await fixture.run({ script: `exit ${code}` });
    expect(report.outcome).toEqual({ kind: 'exited', code });
  });

  it('that is missing, not executable or in a wrong format is told apart', async () => {
    const workspace = fixture.workspace();
    const file = (name: string, text: string, mode: number): void =>
      writeFileSync(join(workspace, 'app', name), text, { mode });
    file('plain', '#!/bin/sh\n', 0o644);
    file('noise', 'echo no shebang\n', 0o755);
    file('lost', '#!/opt/ruby/bin/ruby\n', 0o755);
    file('windows', '#!/bin/sh\r\n', 0o755);
    const reasons: string[] = [];
    for (const name of ['missing', 'plain', 'noise', 'lost', 'windows']) {
      const { report } = await fixture.run({ argv: [`/tmp/app/${name}`], diskRoot: workspace });
      reasons.push(report.outcome.kind === 'not-started' ? report.outcome.reason : JSON.stringify(report));
    }
    expect(reasons).toEqual([
      '/tmp/app/missing: no such file or directory',
      '/tmp/app/plain: permission denied: not executable (mode 0644)',
      '/tmp/app/noise: exec format error: neither a script that begins with #! nor an ELF program',
      "/tmp/app/lost: its interpreter (#!/opt/ruby/bin/ruby) can't be used: /opt/ruby/bin/ruby: no such file or directory (/opt)",
      "/tmp/app/windows: its interpreter (#!/bin/sh) can't be used: /bin/sh\\r: no such file or directory (/usr/bin/sh\\r); the first line ends with a carriage return",
    ]);
  });

  it('shares its workspace with the next one and nothing else', async () => {
    const workspace = fixture.workspace();
    await fixture.run({
      script: 'echo kept > /tmp/file; echo gone > /dev/shm/file; sleep 60 &',
      diskRoot: workspace,
    });
    const { stdout } = await fixture.run({
      script: 'cat /tmp/file; ls /dev/shm; ps -e | grep -c sleep',
      diskRoot: workspace,
    });
    expect(stdout.toString()).toBe('kept\n0\n');
  });

  it('runs beside nineteen others', async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        fixture.run({
          owner: `many-${index}`,
          script: `echo ${index} > mine; sleep 0.2; cat mine; ls | wc -l`,
        }),
      ),
    );
    expect(all.map(({ stdout }) => stdout.toString())).toEqual(all.map((_, index) => `${index}\n1\n`));
  });
});
