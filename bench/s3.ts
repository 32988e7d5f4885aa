/**
 * Uploading one 2 GB file to the local S3 server, beside the public tools that are installed (aws, rclone, s3cmd).
 *
 *     node bench/s3.ts [--mib 2048] [--runs 3]
 *
 * Tools take turns in one run; the figure is each one's median, with its CPU time.
 * Writes bench/out/s3.json.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openBlobStore } from '../src/stores/blobs/open.ts';
import { ACCESS_KEY, SECRET_KEY, startS3Server, useTestCredentials } from '../test/support/s3-server.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { mib: { type: 'string', default: '2048' }, runs: { type: 'string', default: '3' } },
});

/** The process that is measured; as for the other tools, its start counts. */
async function child(address: string, file: string): Promise<void> {
  const store = await openBlobStore(address);
  const key = { kind: 'packages' as const, name: `bench-${process.pid}` };
  const { signal } = new AbortController();
  await store.putFile(key, file, { contentType: 'application/octet-stream', signal });
}

interface Figures {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rssMib: number;
}

interface Tool {
  readonly name: string;
  /** Uploads once; undefined when the tool is not installed. */
  readonly run: () => Figures | undefined;
}

/** GNU time gives CPU and memory of a program and its children. */
function timed(command: string, args: readonly string[]): Figures | undefined {
  if (spawnSync(command, ['--version']).status !== 0 && spawnSync(command, ['version']).status !== 0)
    return undefined;
  // rclone refuses to start with a CA bundle for the AWS library.
  const { AWS_CA_BUNDLE: _caBundle, ...env } = process.env;
  const { status, stderr } = spawnSync('time', ['-f', '%e %U %S %M', command, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
  const [seconds = 0, user = 0, system = 0, kib = 0] = (stderr.trim().split('\n').at(-1) ?? '')
    .split(' ')
    .map(Number);
  return { seconds, cpuSeconds: user + system, rssMib: Math.round(kib / 1024) };
}

function toolsFor(
  server: { endpoint: string; port: number; address: (bucket: string) => string },
  file: string,
): Tool[] {
  const remote = `:s3,provider=Other,access_key_id=${ACCESS_KEY},secret_access_key=${SECRET_KEY},endpoint="${server.endpoint}":bench/`;
  const host = `127.0.0.1:${server.port}`;
  const s3cmd = [
    '--access_key',
    ACCESS_KEY,
    '--secret_key',
    SECRET_KEY,
    '--no-ssl',
    '--host',
    host,
    '--host-bucket',
    host,
  ];
  return [
    {
      name: 'stager',
      run: () =>
        timed(process.execPath, [fileURLToPath(import.meta.url), 'child', server.address('bench'), file]),
    },
    {
      name: 'aws s3 cp',
      run: () =>
        timed('aws', [
          '--endpoint-url',
          server.endpoint,
          's3',
          'cp',
          '--no-progress',
          file,
          's3://bench/aws',
        ]),
    },
    {
      name: 'rclone',
      run: () =>
        timed('rclone', ['copyto', '--s3-no-check-bucket', '--ignore-times', file, `${remote}rclone`]),
    },
    {
      name: 's3cmd',
      run: () => timed('s3cmd', [...s3cmd, '--no-progress', 'put', file, 's3://bench/s3cmd']),
    },
  ];
}

function medianOf(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return Number((sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(2));
}

async function measure(root: string): Promise<Record<string, Figures>> {
  const server = await startS3Server(root);
  try {
    await server.makeBucket('bench');
    const file = join(root, 'package.bin');
    for (let n = 0; n < Number(values.mib); n += 8) appendFileSync(file, randomBytes(8 << 20));
    const tools = toolsFor(server, file);
    const runs = new Map<string, Figures[]>();
    for (let n = 0; n < Number(values.runs); n++) {
      for (const { name, run } of tools) {
        // Nobody waits for what the tool before it left to be written out.
        spawnSync('sync');
        const result = run();
        if (result !== undefined) runs.set(name, [...(runs.get(name) ?? []), result]);
      }
    }
    return Object.fromEntries(
      [...runs].map(([name, results]) => [
        name,
        {
          seconds: medianOf(results.map(({ seconds }) => seconds)),
          cpuSeconds: medianOf(results.map(({ cpuSeconds }) => cpuSeconds)),
          rssMib: Math.max(...results.map(({ rssMib }) => rssMib)),
        },
      ]),
    );
  } finally {
    await server.stop();
  }
}

async function main(): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'stager-bench-s3-'));
  let table: Record<string, Figures>;
  try {
    table = await measure(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  console.table(table);
  const best = Math.min(
    ...Object.entries(table).flatMap(([name, { seconds }]) => (name === 'stager' ? [] : [seconds])),
  );
  const reached = Math.round((100 * best) / (table['stager']?.seconds ?? 1));
  console.log(`stager reaches ${reached} % of the best other tool`);
  const out = fileURLToPath(new URL('out', import.meta.url));
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 's3.json'), `${JSON.stringify(table, null, 2)}\n`);
}

useTestCredentials();
if (positionals[0] === 'child') await child(positionals[1] ?? '', positionals[2] ?? '');
else await main();
