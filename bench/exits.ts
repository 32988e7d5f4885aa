/**
 * Ends stager many times on a machine that is kept busy, by each door, and looks whether it ended:
 *
 *     node bench/exits.ts [--times 500] [--busy 4] [cli|dropin|library|http]…
 *
 * `times` is for each door but http, which starts a database and gets a fiftieth. What is not gone two seconds after it
 * had nothing left to do (a minute after it began, since the machine is busy) counts as hung. The status is 1 for any.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PATIENCE_MS = 60_000;
const DOORS = ['cli', 'dropin', 'library', 'http'] as const;
type Door = (typeof DOORS)[number];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { times: { type: 'string', default: '500' }, busy: { type: 'string', default: '4' } },
});
const dir = mkdtempSync(join(tmpdir(), 'stager-exits-'));
const env = { PATH: process.env['PATH'], HOME: dir, STAGER_HOME: join(dir, 'home') };

/** One start: its arguments, what to do once it says so, the status that is right. */
interface Start {
  readonly command: readonly string[];
  readonly statuses: readonly number[];
  /** SIGTERM once stdout or stderr matches. */
  readonly stopAt?: RegExp;
}

const STARTS: Readonly<Record<Door, (n: number) => Start>> = { cli, dropin, library, http };

/** Ordinary work, and the reading of a store with a link to itself, at whose end V8 used to wait for itself. */
function cli(n: number): Start {
  const stager = join(ROOT, 'bin/stager');
  const kinds: readonly Start[] = [
    { command: [stager, 'blobs', 'verify', '--blobstore', join(dir, 'looped')], statuses: [80] },
    { command: [stager, 'package', 'create', join(dir, 'app')], statuses: [0] },
    { command: [stager, 'blobs', 'verify'], statuses: [0] },
    { command: [stager, 'stack', 'list'], statuses: [0] },
  ];
  return kinds[n % kinds.length] ?? cli(0);
}

function dropin(n: number): Start {
  if (n % 4 > 0)
    return { command: [join(ROOT, 'bin/launcher'), join(dir, 'launched'), 'exit 7', ''], statuses: [7] };
  const out = join(dir, `out-${n}`);
  const flags = [
    `-buildDir=${join(dir, 'app')}`,
    `-buildpacksDir=${join(dir, 'buildpacks')}`,
    '-buildpackOrder=none',
    `-outputDroplet=${out}.tgz`,
    `-outputMetadata=${out}.json`,
    `-buildArtifactsCacheDir=${out}-cache`,
    `-outputBuildArtifactsCache=${out}-cache.tgz`,
  ];
  // There is no such buildpack: what counts is that it ends.
  return { command: [join(ROOT, 'bin/builder'), ...flags], statuses: [1, 222, 223] };
}

/** Ends by itself, by process.exit, and while a packing's threads are at work. */
function library(n: number): Start {
  return { command: [process.execPath, join(dir, 'library.mjs'), String(n % 3)], statuses: [n % 3] };
}

const LIBRARY = `
import { stage } from ${JSON.stringify(join(ROOT, 'dist/index.js'))};
const how = Number(process.argv[2]);
const staging = stage({
  source: ${JSON.stringify(join(dir, 'app'))},
  home: ${JSON.stringify(join(dir, 'home'))} + '-' + process.pid,
  appName: 'app', sandbox: 'none', compression: 'gzip:6',
  buildpacks: [${JSON.stringify(join(ROOT, 'fixtures/buildpacks/does-as-told'))}],
  onEvent: (event) => {
    if (how === 2 && event.type === 'phase-started' && event.phase.name === 'droplet')
      setImmediate(() => process.exit(2));
  },
});
await staging.result;
if (how === 1) process.exit(1);
process.exitCode = how;
`;

function http(): Start {
  const data = mkdtempSync(join(dir, 'serve-'));
  return {
    command: [join(ROOT, 'bin/stager'), 'serve', '--host', '127.0.0.1', '--port', '0', '--data', data],
    statuses: [0, 143],
    stopAt: /http:\/\/127/,
  };
}

/** @returns what is wrong with how it ended. */
async function ended({
  command: [program = '', ...args],
  statuses,
  stopAt,
}: Start): Promise<string | undefined> {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (stopAt?.test(said) === true) child.kill('SIGTERM');
    });
  const hung = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  await once(child, 'close');
  clearTimeout(hung);
  if (child.signalCode === 'SIGKILL') return `hung: ${args.join(' ')}: ${said.slice(-300)}`;
  if (statuses.includes(child.exitCode ?? -1)) return undefined;
  return `ended with ${child.exitCode ?? child.signalCode}: ${args.join(' ')}: ${said.slice(-500)}`;
}

/** So many at once that each is often put aside. */
async function all(door: Door, times: number): Promise<number> {
  let [next, wrong] = [0, 0];
  const worker = async (): Promise<void> => {
    while (next < times) {
      const why = await ended(STARTS[door](next++));
      if (why === undefined) continue;
      wrong += 1;
      console.log(`${door}: ${why}`);
    }
  };
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, worker));
  console.log(`${door}: ${times} exits, ${wrong} wrong`);
  return wrong;
}

function prepare(): void {
  for (const path of ['app', 'looped', 'launched/app', 'buildpacks', 'home'])
    mkdirSync(join(dir, path), { recursive: true });
  symlinkSync('packages', join(dir, 'looped/packages'));
  for (let n = 0; n < 50; n += 1) writeFileSync(join(dir, `app/${n}.txt`), `${n} `.repeat(40_000));
  writeFileSync(join(dir, 'library.mjs'), LIBRARY);
}

prepare();
await ended(cli(1));
const idle = Array.from({ length: Number(values.busy) }, () =>
  spawn(process.execPath, ['--eval', 'for (;;);'], { stdio: 'ignore' }),
);
let faults = 0;
try {
  for (const door of DOORS.filter((it) => positionals.length === 0 || positionals.includes(it)))
    faults += await all(door, Math.ceil(Number(values.times) / (door === 'http' ? 50 : 1)));
} finally {
  for (const child of idle) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
}
process.exitCode = faults === 0 ? 0 : 1;
