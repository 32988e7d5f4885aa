/**
 * Uploading one 2 GB file to the local S3 server, beside the public tools that are installed (aws, rclone, s3cmd).
 *
 *     node bench/s3.ts [--mib 2048] [--runs 3]
 *
 * Tools take turns in one run; the figure is each one's median. Writes bench/out/s3.json.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openBlobStore } from '../src/blobs/open.ts';
import { ACCESS_KEY, SECRET_KEY, startS3Server, useTestCredentials } from '../test/support/s3-server.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { mib: { type: 'string', default: '2048' }, runs: { type: 'string', default: '3' } },
});

/** Runs in a process of its own, so that its peak of memory is its own. */
async function child(address: string, file: string): Promise<void> {
  const store = await openBlobStore(address);
  const started = performance.now();
  const key = { kind: 'packages' as const, name: `bench-${Date.now()}` };
  const { signal } = new AbortController();
  await store.putFile(key, file, { contentType: 'application/octet-stream', signal });
  const seconds = (performance.now() - started) / 1000;
  console.log(JSON.stringify({ seconds, rssMib: Math.round(process.resourceUsage().maxRSS / 1024) }));
  await store.delete(key, { signal });
}

interface Tool {
  readonly name: string;
  /** Uploads once; seconds, or undefined when the tool is not installed. */
  readonly run: () => { seconds: number; rssMib?: number } | undefined;
}

function timed(command: string, args: readonly string[]): { seconds: number } | undefined {
  if (spawnSync(command, ['--version']).status !== 0 && spawnSync(command, ['version']).status !== 0)
    return undefined;
  const started = performance.now();
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  return { seconds: (performance.now() - started) / 1000 };
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
        JSON.parse(
          execFileSync(
            process.execPath,
            [fileURLToPath(import.meta.url), 'child', server.address('bench'), file],
            {
              encoding: 'utf8',
            },
          ),
        ),
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
      run: () => timed('rclone', ['copyto', '--s3-no-check-bucket', file, `${remote}rclone`]),
    },
    {
      name: 's3cmd',
      run: () => timed('s3cmd', [...s3cmd, '--no-progress', 'put', file, 's3://bench/s3cmd']),
    },
  ];
}

async function main(): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'stager-bench-s3-'));
  const server = await startS3Server(root);
  const table: Record<string, { seconds: number; rssMib: number | undefined }> = {};
  try {
    await server.makeBucket('bench');
    const file = join(root, 'package.bin');
    for (let n = 0; n < Number(values.mib); n += 8) appendFileSync(file, randomBytes(8 << 20));
    const tools = toolsFor(server, file);
    const runs = new Map<string, { seconds: number; rssMib?: number }[]>();
    for (let n = 0; n < Number(values.runs); n++) {
      for (const { name, run } of tools) {
        const result = run();
        if (result !== undefined) runs.set(name, [...(runs.get(name) ?? []), result]);
      }
    }
    for (const [name, results] of runs) {
      const seconds =
        results.map((result) => result.seconds).sort((a, b) => a - b)[Math.floor(results.length / 2)] ?? 0;
      const rss = Math.max(...results.map((result) => result.rssMib ?? 0));
      table[name] = { seconds: Number(seconds.toFixed(2)), rssMib: rss === 0 ? undefined : rss };
    }
  } finally {
    await server.stop();
    rmSync(root, { recursive: true, force: true });
  }
  console.table(table);
  const best = Math.min(
    ...Object.entries(table).flatMap(([name, { seconds }]) => (name === 'stager' ? [] : [seconds])),
  );
  console.log(
    `stager reaches ${Math.round((100 * best) / (table['stager']?.seconds ?? 1))} % of the best other tool`,
  );
  const out = fileURLToPath(new URL('out', import.meta.url));
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 's3.json'), `${JSON.stringify(table, null, 2)}\n`);
}

useTestCredentials();
if (positionals[0] === 'child') await child(positionals[1] ?? '', positionals[2] ?? '');
else await main();
