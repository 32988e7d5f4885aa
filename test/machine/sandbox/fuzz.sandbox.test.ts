/**
 * Random system calls with random arguments, through both entries of the kernel: nothing outside the sandbox may take
 * notice. STAGER_FUZZ_SECONDS=600 for the long run by hand; without it, as long as a test may take.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fuzzProgram } from '../../support/fuzz-elf.ts';
import { cgroupsOf, SandboxFixture } from '../../support/sandbox-fixture.ts';
import { writeProgram } from '../../support/tiny-elf.ts';

const SECONDS = Number(process.env['STAGER_FUZZ_SECONDS'] ?? 15);
const AT_ONCE = 4;

let fixture: SandboxFixture;
beforeAll(async () => {
  fixture = await SandboxFixture.open();
});
afterAll(() => fixture.close());

/** What a call that got through could change for everybody. */
const machine = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [
      '/proc/sys/kernel/tainted',
      '/proc/sys/kernel/hostname',
      '/proc/sys/kernel/domainname',
      '/proc/sys/kernel/random/boot_id',
      '/proc/swaps',
    ].map((path) => [path, readFileSync(path, 'utf8')]),
  );

const why = process.arch === 'x64' ? '' : ` (not run: the program is for x64, this is ${process.arch})`;

describe.skipIf(why !== '')(`random system calls${why}`, () => {
  it.each(['x86-64', 'i386'] as const)('of the %s ABI touch nothing outside', async (abi) => {
    const before = machine();
    const until = Date.now() + SECONDS * 1_000;
    const counts = { rounds: 0, deaths: 0 };
    for (let seed = Date.now() % 10_000_000; Date.now() < until; seed += 1_000) {
      const workspace = fixture.workspace();
      writeProgram(join(workspace, 'app', 'fuzz'), fuzzProgram(abi));
      // Each kills itself, its fellows or the shell sooner or later; one that waits forever is ended.
      const script = `for i in $(seq ${AT_ONCE}); do (n=$((${seed} + i)); while :; do timeout -s KILL 0.5 ./fuzz $(printf %08d $n); echo $?; n=$((n + ${AT_ONCE})); done) & done; wait`;
      const { report, stdout } = await fixture.run({
        owner: `fuzz-${abi}`,
        script,
        diskRoot: workspace,
        mounts: [{ source: workspace, target: '/tmp', writable: true }],
        limits: { wallMs: Math.max(1_000, until - Date.now()), memoryBytes: 128 << 20, pids: 100 },
      });
      expect(report.outcome.kind, `seed ${seed}`).not.toBe('not-started');
      counts.rounds += 1;
      counts.deaths += stdout.toString('latin1').split('\n').length - 1;
    }
    expect(counts.deaths).toBeGreaterThan(0);
    expect(machine()).toEqual(before);
    expect(await cgroupsOf(`fuzz-${abi}`)).toEqual([]);
    expect((await fixture.run({ script: 'echo still here' })).text).toBe('still here\n');
  });
});
