/**
 * Ten hostile stagings at once beside ten honest ones, then each flood alone against a time limit and Ctrl-C:
 *
 *     node bench/hostile.ts [--honest 10]
 *
 * Prints two tables in Markdown. The status is 1 when an honest staging failed, the disk's reserve was touched, a stager
 * took 200 MiB or more, or an end took longer than two seconds.
 */
import { readFileSync, statfsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Cli, type Ended, type Running, stageArgs } from '../test/support/cli.ts';

const { values } = parseArgs({ options: { honest: { type: 'string', default: '10' } } });

const python = (...lines: string[]): string => `exec python3 -c '${lines.join('\n')}'`;
/** What the supply script does; `$1` is the build directory. */
const HOSTILE: Readonly<Record<string, string>> = {
  'disk bomb': 'for i in 1 2 3 4; do cat /dev/zero >$1/z$i & done; wait; sleep 600',
  'inode bomb': python('import os, sys', 'i = 0', 'while True:', '    os.mkdir(str(i)); i += 1'),
  'hard links': python(
    'import os',
    'open("f", "w").close()',
    'i = 0',
    'while True:',
    '    os.link("f", str(i)); i += 1',
  ),
  'memory bomb': python('x = []', 'while True: x.append(bytearray(1 << 20))'),
  'fork bomb': 'bomb() { bomb | bomb & }; bomb; sleep 600',
  'output flood': 'yes ""',
  fallocate: 'while :; do fallocate -l 100M $1/f$RANDOM; done',
  'sparse files': 'i=0; while :; do truncate -s 1T $1/s$i; i=$((i + 1)); done',
  'deep trees': python('import os', 'while True:', '    os.mkdir("d"); os.chdir("d")'),
  'ignores everything': "trap '' HUP INT QUIT TERM; while :; do sleep 1; done",
  'inotify and keys': python(
    'import ctypes, time',
    'libc = ctypes.CDLL(None)',
    'while libc.inotify_init() >= 0: pass',
    'for i in range(100000): libc.syscall(248, b"user", str(i).encode(), b"x", 1, -4)',
    'time.sleep(600)',
  ),
};
const LIMITS = ['--memory', '256M', '--disk', '256M'];
const RESERVE_BYTES = 512 * 1024 * 1024;
const MOST_KIB = 200 * 1024;
const END_MS = 2_000;

await using cli = await Cli.make();
const app = await cli.app('app');
const honestArgs = stageArgs(app, { SUPPLY: 'head -c 8M /dev/urandom >$1/own; sleep 1; echo ok' }, LIMITS);
let faults = 0;

function fault(text: string): void {
  faults += 1;
  console.log(`FAULT ${text}`);
}

/** Largest resident memory of a process so far, in KiB. */
function peakOf(pid: number | undefined): number {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Looks at stagers and the disk until all have ended. */
async function watched(
  running: readonly Running[],
): Promise<{ ends: readonly Ended[]; peakKib: number; freeBytes: number }> {
  let [peakKib, freeBytes] = [0, Number.POSITIVE_INFINITY];
  const timer = setInterval(() => {
    for (const { child } of running) peakKib = Math.max(peakKib, peakOf(child.pid));
    const { bavail, bsize } = statfsSync(cli.dir);
    freeBytes = Math.min(freeBytes, bavail * bsize);
  }, 100);
  const ends = await Promise.all(running.map(({ ended }) => ended));
  clearInterval(timer);
  return { ends, peakKib, freeBytes };
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1);
const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;

async function together(): Promise<void> {
  await cli.run(honestArgs);
  const alone = await watched(Array.from({ length: Number(values.honest) }, () => cli.start(honestArgs)));
  const bombs = Object.values(HOSTILE).map((SUPPLY) =>
    cli.start(stageArgs(app, { SUPPLY }, [...LIMITS, '--timeout', '60s'])),
  );
  const honest = Array.from({ length: Number(values.honest) }, () => cli.start(honestArgs));
  const [beside, hostile] = await Promise.all([watched(honest), watched(bombs)]);
  const times = (ends: readonly Ended[]): number => median(ends.map(({ durationMs }) => durationMs));
  const failed = beside.ends.filter(({ code }) => code !== 0);
  const freeBytes = Math.min(beside.freeBytes, hostile.freeBytes);
  const peakKib = Math.max(beside.peakKib, hostile.peakKib);
  console.log('| | |\n|---|---|');
  console.log(`| honest stagings that ended well | ${honest.length - failed.length} of ${honest.length} |`);
  console.log(`| their time, median, beside each other only | ${seconds(times(alone.ends))} s |`);
  console.log(`| beside the hostile ones | ${seconds(times(beside.ends))} s |`);
  console.log(`| least that was free on the disk | ${Math.round(freeBytes / 2 ** 20)} MiB |`);
  console.log(`| largest stager | ${Math.round(peakKib / 1024)} MiB |`);
  for (const { stderr } of failed) fault(`an honest staging failed: ${stderr.slice(-500)}`);
  if (freeBytes < RESERVE_BYTES) fault('the reserve of the disk was touched');
  if (peakKib >= MOST_KIB) fault('a stager was too large');
  if (hostile.ends.some(({ code }) => code === 0 || code === 137))
    fault('a hostile staging ended well, or was killed');
}

async function ends(): Promise<void> {
  console.log('\n| flood | after the time limit | after Ctrl-C |\n|---|---|---|');
  for (const [name, SUPPLY] of Object.entries(HOSTILE)) {
    const begins = `echo begun; ${SUPPLY}`;
    const timed = await cli.run(stageArgs(app, { SUPPLY: begins }, [...LIMITS, '--timeout', '4s', '--json']));
    const script = /"type":"phase-ended"[^\n]*"name":"supply"[^\n]*"durationMs":([\d.]+)/.exec(
      timed.stdout,
    )?.[1];
    const late = Math.max(0, Number(script ?? 0) - 4_000);
    const running = cli.start(stageArgs(app, { SUPPLY: begins }, [...LIMITS, '--json']));
    await running.says(/"text":"begun"/);
    const at = performance.now();
    running.interrupt();
    await running.ended;
    const interrupted = performance.now() - at;
    console.log(`| ${name} | ${seconds(late)} s | ${seconds(interrupted)} s |`);
    if (late > END_MS) fault(`${name} went on after its time`);
    if (interrupted > END_MS) fault(`${name} went on after Ctrl-C`);
  }
}

await together();
await ends();
const left = await cli.leftovers();
for (const line of left) fault(`left: ${line.slice(0, 200)}`);
process.exitCode = faults === 0 ? 0 : 1;
