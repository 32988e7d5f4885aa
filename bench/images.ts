/**
 * Pushing an image of a droplet, first and after one line of the app changed, beside `skopeo copy` of the same image; both
 * to a docker-registry of Debian on loopback that has nothing at first.
 *
 *     node bench/images.ts [--mib 256] [--runs 3]
 *
 * stager unpacks the droplet, packs the layers and pushes; skopeo is given the finished layers in a layout, and so is
 * stager's client, in a process of its own. The tools take turns; the figure is each one's median. Writes bench/out/images.json.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { pushLayout } from '../test/staging/cnb/support.ts';
import { clientFor } from '../test/stores/registry/support.ts';
import { startRegistry } from '../test/support/docker-registry.ts';
import { median, ROOT, save } from './measure.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { mib: { type: 'string', default: '256' }, runs: { type: 'string', default: '3' } },
});
const [mib, runs] = [Number(values.mib), Number(values.runs)];
const dir = mkdtempSync(join(tmpdir(), 'stager-bench-images-'));
const env = { ...process.env, STAGER_HOME: join(dir, 'home') };

interface Figures {
  readonly ms: number;
  readonly cpuSeconds: number;
  readonly rssMib: number;
  readonly stdout: string;
}

/** GNU time gives processor time of a program and its children, and the memory of the largest. */
function timed(command: string, args: readonly string[]): Figures {
  spawnSync('sync');
  const { status, stdout, stderr } = spawnSync('time', ['-f', '%e %U %S %M', command, ...args], {
    env,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
  const [seconds = 0, user = 0, system = 0, kib = 0] = (stderr.trim().split('\n').at(-1) ?? '')
    .split(' ')
    .map(Number);
  return { ms: seconds * 1000, cpuSeconds: user + system, rssMib: Math.round(kib / 1024), stdout };
}

const Built = z.object({ pushed: z.object({ uploaded: z.number(), uploadedBytes: z.number() }).optional() });

/** A droplet whose bulk can't be compressed: installed packages, dependencies and an app of one file. */
function makeDroplets(): void {
  const tree = join(dir, 'tree');
  for (const [part, share] of [
    ['app/node_modules', 0.25],
    ['deps/0', 0.5],
    ['deps/1', 0.25],
  ] as const) {
    mkdirSync(join(tree, part), { recursive: true });
    for (let n = 0; n < mib * share; n += 1)
      appendFileSync(join(tree, part, `file-${n >> 4}`), randomBytes(1 << 20));
  }
  for (const version of ['first', 'changed']) {
    writeFileSync(join(tree, 'app/index.js'), `console.log(${JSON.stringify(version)})\n`);
    execFileSync('sh', ['-c', `tar -C ${tree} -cf - . | zstd -q -1 -T0 > ${join(dir, version)}.tar.zst`]);
  }
  rmSync(tree, { recursive: true });
}

const stager = (version: string, ...to: readonly string[]): Figures =>
  timed(join(ROOT, 'bin/stager'), [
    'image',
    'build',
    join(dir, `${version}.tar.zst`),
    '--base',
    'scratch',
    '--json',
    ...to,
  ]);

const rows = new Map<string, Figures[]>();
const note = (name: string, figures: Figures): void => {
  rows.set(name, [...(rows.get(name) ?? []), figures]);
  console.error(`  ${name}: ${(figures.ms / 1000).toFixed(2)} s, ${figures.rssMib} MiB`);
};

async function measure(): Promise<void> {
  makeDroplets();
  for (let run = 0; run < runs; run += 1) {
    await using registry = await startRegistry();
    for (const version of ['first', 'changed']) {
      const layout = join(dir, version);
      note(
        `stager image build --push, ${version}`,
        stager(version, '--tag', `${registry.host}/stager:v1`, '--push'),
      );
      stager(version, '--tag', `app:${version}`, '--load-into', layout);
      note(
        `stager, the push alone, ${version}`,
        timed(process.execPath, [fileURLToPath(import.meta.url), layout, `${registry.host}/alone:v1`]),
      );
      const target = `docker://${registry.host}/skopeo:v1`;
      const tls = ['--insecure-policy', '--dest-tls-verify=false', '--quiet'];
      note(`skopeo copy, ${version}`, timed('skopeo', ['copy', ...tls, `oci:${layout}`, target]));
    }
  }
}

const [givenLayout, givenTarget] = positionals;
try {
  if (givenLayout !== undefined && givenTarget !== undefined)
    await pushLayout(givenLayout, givenTarget, clientFor());
  else {
    await measure();
    show();
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}

function show(): void {
  const results = [...rows].map(([name, all]) => {
    const sent = Built.safeParse(JSON.parse(all[0]?.stdout.trim().split('\n').at(-1) || '{}')).data?.pushed;
    return {
      name,
      seconds: median(all.map(({ ms }) => ms)) / 1000,
      cpuSeconds: median(all.map(({ cpuSeconds }) => cpuSeconds)),
      rssMib: Math.max(...all.map(({ rssMib }) => rssMib)),
      ...(sent !== undefined && { sent }),
    };
  });
  save('images', { mib, runs, results });
  console.log(
    `An image of ${mib} MiB, ${runs} runs\n\n| | median s | CPU s | peak MiB | sent |\n|---|---|---|---|---|`,
  );
  for (const { name, seconds, cpuSeconds, rssMib, sent } of results)
    console.log(
      `| ${name} | ${seconds.toFixed(2)} | ${cpuSeconds.toFixed(2)} | ${rssMib} | ${sent === undefined ? '' : `${sent.uploaded} blobs, ${sent.uploadedBytes} bytes`} |`,
    );
}
