/**
 * Packages and the resource cache: a second `package create` of an unchanged app of 42,000 files, one with one file
 * changed, and matching 50,000 fingerprints against a million known resources, on a directory and on S3.
 *
 *     node bench/packages.ts [--files 42000] [--resources 1000000] [--no-s3]
 *
 * Each figure is the median of several runs in fresh processes. Writes bench/out/packages.json.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { storePackage } from '../src/staging/package/create.ts';
import { openSource } from '../src/staging/source/open.ts';
import { openBlobStore } from '../src/stores/blobs/open.ts';
import type { BlobStore } from '../src/stores/blobs/port/blob-store.ts';
import { BLOCK_ENTRIES, KEY_BYTES, ROW_BYTES } from '../src/stores/resource-cache/format.ts';
import type { Fingerprint } from '../src/stores/resource-cache/lookup.ts';
import { Pool } from '../src/stores/resource-cache/pool.ts';
import { writeSegment } from '../src/stores/resource-cache/segment-writer.ts';
import { parseSha1, parseSha256 } from '../src/words/ids.ts';
import { startS3Server, useTestCredentials } from '../test/support/s3-server.ts';

const signal = new AbortController().signal;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: 'string', default: '42000' },
    resources: { type: 'string', default: '1000000' },
    'no-s3': { type: 'boolean', default: false },
  },
});

/** A tree like a large node_modules: mostly small files, sizes spread over orders of magnitude. */
function makeApp(root: string, files: number): void {
  for (let n = 0; n < files; n++) {
    const directory = join(root, `p${n % 700}`, `d${n % 7}`);
    if (n < 4_900) mkdirSync(directory, { recursive: true });
    const size = Math.floor(400 * 2 ** (((n * 7_919) % 1_000) / 110));
    const path = join(directory, `f${n}.js`);
    writeFileSync(
      path,
      randomBytes(Math.ceil(size / 2))
        .toString('hex')
        .slice(0, size),
    );
    utimesSync(path, 1_600_000_000, 1_600_000_000);
  }
}

/** The n-th of a series of fingerprints. */
function nth(n: number): Required<Fingerprint> {
  const sha1 = parseSha1(createHash('sha1').update(`r${n}`).digest('hex'));
  const sha256 = parseSha256(createHash('sha256').update(`r${n}`).digest('hex'));
  if (sha1 === undefined || sha256 === undefined) throw new Error('no digest');
  return { sha1, sha256, sizeBytes: n % 100_000 };
}

/** An index of `count` resources without their packs: matching does not read those. */
async function seed(store: BlobStore, count: number): Promise<void> {
  const pack = { id: 'a'.repeat(24), sizeBytes: 1, atMs: 0 };
  const keys: Buffer[] = [];
  const rowOf = new Map<Buffer, Buffer>();
  const { encodeEntry } = await import('../src/stores/resource-cache/format.ts');
  for (let n = 0; n < count; n++) {
    const [key, row] = [Buffer.alloc(KEY_BYTES), Buffer.alloc(ROW_BYTES)];
    encodeEntry({ ...nth(n), offset: 0 }, 0, { key, row });
    keys.push(key);
    rowOf.set(key, row);
  }
  keys.sort((a, b) => a.compare(b));
  async function* blocks(pick: (key: Buffer) => Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < keys.length; at += BLOCK_ENTRIES) {
      yield Buffer.concat(keys.slice(at, at + BLOCK_ENTRIES).map(pick));
    }
  }
  const source = {
    entries: count,
    keys: () => blocks((key) => key),
    rows: () => blocks((key) => rowOf.get(key) ?? Buffer.alloc(ROW_BYTES)),
  };
  await writeSegment({ store, tenant: 'local', signal }, source, { packs: [pack] });
}

/** One measured step in a process of its own; prints JSON. */
async function child([step, address = '', ...rest]: readonly string[]): Promise<void> {
  const store = await openBlobStore(address);
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 10);
  let result: Record<string, unknown> = {};
  if (step === 'seed') await seed(store, Number(rest[0]));
  if (step === 'create') {
    const started = performance.now();
    const source = await openSource(rest[0] ?? '');
    const {
      guid: _guid,
      location: _location,
      ...facts
    } = await storePackage(source, {
      store,
      signal,
      ...(rest[1] === undefined ? {} : { statCachePath: rest[1] }),
    });
    result = { ms: performance.now() - started, ...facts };
  }
  if (step === 'match') {
    const count = Number(rest[0]);
    const half = Array.from({ length: 25_000 }, (_, n) => nth(Math.floor((n * count) / 25_000)));
    const unknown = Array.from({ length: 25_000 }, (_, n) => nth(count + n));
    const started = performance.now();
    const known = await new Pool(store, 'local').match([...half, ...unknown], { signal });
    result = { ms: performance.now() - started, matched: known.filter(Boolean).length };
  }
  clearInterval(timer);
  peak = Math.max(peak, process.memoryUsage.rss(), process.resourceUsage().maxRSS * 1024);
  console.log(JSON.stringify({ ...result, rssMib: Math.round(peak / 2 ** 20) }));
}

function run(...args: string[]): Record<string, number> {
  const file = fileURLToPath(import.meta.url);
  return JSON.parse(execFileSync(process.execPath, [file, 'child', ...args], { encoding: 'utf8' }));
}

function median(runs: readonly Record<string, number>[]): Record<string, number> {
  const sorted = [...runs].sort((a, b) => (a['ms'] ?? 0) - (b['ms'] ?? 0));
  return sorted[Math.floor(sorted.length / 2)] ?? {};
}

async function main(): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'stager-bench-'));
  const results: Record<string, unknown> = {};
  const server = values['no-s3'] ? undefined : await startS3Server(root);
  try {
    makeApp(join(root, 'app'), Number(values.files));
    await server?.makeBucket('bench');
    const stores: [string, string][] = [['directory', join(root, 'store')]];
    if (server !== undefined) stores.push(['s3', server.address('bench')]);
    for (const [name, address] of stores) {
      const cache = join(root, `${name}.stat`);
      const create = (): Record<string, number> => run('create', address, join(root, 'app'), cache);
      results[`${name}: first create`] = create();
      results[`${name}: unchanged`] = median([create(), create(), create()]);
      writeFileSync(join(root, 'app/p1/d1/f1.js'), `changed ${name}`);
      results[`${name}: one file changed`] = create();
      const known = `${address.includes('?') ? address.replace('/prefix', '/known') : `${address}-known`}`;
      run('seed', known, values.resources);
      const match = (): Record<string, number> => run('match', known, values.resources);
      results[`${name}: match 50,000 of ${values.resources}`] = median([match(), match(), match()]);
    }
  } finally {
    await server?.stop();
    rmSync(root, { recursive: true, force: true });
  }
  console.table(results);
  const out = fileURLToPath(new URL('out', import.meta.url));
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'packages.json'), `${JSON.stringify(results, null, 2)}\n`);
}

useTestCredentials();
if (positionals[0] === 'child') await child(positionals.slice(1));
else await main();
