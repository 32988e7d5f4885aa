/** A script that writes without end: limits, signals and memory hold, whoever reads. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Cli, stageArgs } from '../support/cli.ts';

/** A staging of this app takes about 110 MiB, and what its script writes has no bound. */
const ROOM_KIB = 300 * 1024;
const STAGER = fileURLToPath(new URL('../../bin/stager', import.meta.url));
const PATIENCE = { timeout: 60_000, interval: 100 } as const;

let cli: Cli;
let app: string;
beforeAll(async () => {
  ({ cli, app } = await Cli.withApp());
});
afterAll(() => cli[Symbol.asyncDispose]());

it.each(["yes ''", 'tr "\\0" x </dev/zero'])('a flood ends when its time is up: %s', async (command) => {
  const ended = await cli.stage(app, { SUPPLY: command }, ['--timeout', '3s']);
  expect(ended.code).toBe(50);
  expect(ended.stderr).toContain('STAGING_TIMEOUT');
  expect(await cli.leftovers()).toEqual([]);
});

// Through a shell's pipe, whose reader sleeps; or a socket, as Node gives it, which nobody reads.
it.each([
  ['a pipe', '"$@" | sleep 1000'],
  ['a socket', 'exec "$@"'],
])('a reader that stops holds the script back, and not stager: %s', async (_, shell) => {
  const args = stageArgs(app, { SUPPLY: "echo begun >&2; yes ''" });
  const child = spawn('/bin/sh', ['-c', shell, 'sh', STAGER, ...args], {
    env: { PATH: process.env['PATH'], HOME: cli.dir, STAGER_HOME: cli.home },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const closed = once(child, 'close');
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  try {
    await expect.poll(() => stderr, PATIENCE).toContain('begun');
    const stager = pidOfStager();
    // The script goes on as long as somebody reads: when it stands still, its pipe and all before it are full.
    await expect.poll(standsStill, PATIENCE).toBe(true);
    expect(memoryOf(stager)).toBeLessThan(ROOM_KIB);
    process.kill(stager, 'SIGTERM');
    await expect.poll(() => stderr, PATIENCE).toContain('cancelled by SIGTERM');
    await expect.poll(ofStager, PATIENCE).toEqual([]);
    await expect.poll(() => cli.leftovers().then(withoutReader), PATIENCE).toEqual([]);
  } finally {
    // The shell, and what it started, may have ended by themselves.
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    child.stdout.resume();
    await closed;
  }
});

/** Command lines of stager itself. */
const ofStager = (): string[] => cli.processes().filter((line) => line.includes('bin/stager.cjs stage'));
const pidOfStager = (): number => Number(ofStager()[0]?.split(' ')[0]);
const withoutReader = (left: string[]): string[] => left.filter((line) => !line.includes('sleep 1000'));

let seen = '';
/** Whether the script has used no time of a cpu since it was looked at last. */
function standsStill(): boolean {
  const before = seen;
  const script = cli
    .processes()
    .find((line) => /^\d+ yes /.test(line))
    ?.split(' ')[0];
  seen =
    script === undefined ? '' : readFileSync(`/proc/${script}/stat`, 'utf8').split(' ').slice(13, 15).join();
  return seen !== '' && seen === before;
}

/** Resident memory in KiB. */
function memoryOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
