/**
 * The most memory that `stager stage` takes, as the kernel counts it (VmHWM), for an app of 600 MB in 42,000 files:
 *
 *     node bench/memory.ts
 *
 * Staged twice: as new, and unchanged. The limit is 200 MiB; the status is 1 when it is not kept.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LIMIT_MIB = 200;
const FILES = 42_000;
const BYTES = 600_000_000;

const dir = await mkdtemp(join(tmpdir(), 'stager-memory-'));
try {
  await chmod(dir, 0o711);
  const app = join(dir, 'app');
  makeTree(app);
  const peaks = [await stagePeakMib(app), await stagePeakMib(app)];
  process.stdout.write(
    `peak resident memory: ${peaks[0]} MiB as new, ${peaks[1]} MiB unchanged; limit ${LIMIT_MIB}\n`,
  );
  process.exitCode = Math.max(...peaks) < LIMIT_MIB ? 0 : 1;
} finally {
  await rm(dir, { recursive: true, force: true });
}

/** Many small files and some large ones, two in three of them text: sizes fall off as in node_modules. */
function makeTree(app: string): void {
  const noise = randomBytes(16 << 20);
  const text = Buffer.from(
    Array.from(
      { length: 300_000 },
      (_, n) => `const value${n} = require('./lib/${(n * 7919) % 10007}');\n`,
    ).join(''),
  );
  const weights = Array.from({ length: FILES }, (_, n) => ((n * 7919) % FILES) + 1).map(
    (rank) => 1 / rank ** 0.6,
  );
  const scale = BYTES / weights.reduce((sum, weight) => sum + weight, 0);
  for (const [n, weight] of weights.entries()) {
    const folder = join(app, 'node_modules', `p${n % 900}`, `lib${n % 4}`);
    if (n < 3600) mkdirSync(folder, { recursive: true });
    const from = n % 3 === 0 ? noise : text;
    const size = Math.min(from.length, Math.ceil(weight * scale));
    const at = (n * 104_729) % (from.length - size + 1);
    writeFileSync(join(folder, `f${n}.js`), from.subarray(at, at + size));
  }
}

async function stagePeakMib(app: string): Promise<number> {
  const buildpack = join(ROOT, 'fixtures/buildpacks/does-as-told');
  const child = spawn(join(ROOT, 'bin/stager'), ['stage', app, '-b', buildpack, '--quiet'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { PATH: process.env['PATH'], HOME: dir, STAGER_HOME: join(dir, 'home') },
  });
  let peak = 0;
  // The kernel keeps the maximum, so a sample now and then is exact up to the last moments.
  const timer = setInterval(() => {
    peak = Math.max(peak, peakKib(child.pid));
  }, 20);
  const [status] = await once(child, 'exit');
  clearInterval(timer);
  if (status !== 0) throw new Error(`stager ended with ${status}`);
  return Math.round(peak / 1024);
}

function peakKib(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
