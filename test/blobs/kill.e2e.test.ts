import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { listBlobs, verifyBlobs } from '../../src/blobs/admin.ts';
import type { BlobStore } from '../../src/blobs/blob-store.ts';
import { openBlobStore } from '../../src/blobs/open.ts';
import { parseGuid } from '../../src/ids.ts';
import { createPackage } from '../../src/package/create.ts';
import { collectGarbage } from '../../src/package/gc.ts';
import { openSource } from '../../src/source/open.ts';
import { contentsOf, signal } from '../package/support.ts';

const KILLS = 200;
const AT_ONCE = 4;
const WORK = ['put', 'package', 'gc', 'package'] as const;
const script = fileURLToPath(new URL('kill-child.ts', import.meta.url));

/** Starts a child, lets it work for a moment that nobody chose, and kills it. */
async function killOne(store: string, n: number, apps: string): Promise<void> {
  const args = [script, store, WORK[n % WORK.length] ?? 'put', join(apps, `app${n % AT_ONCE}`)];
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaints += chunk.toString();
  });
  const gone = once(child, 'exit');
  if (child.stdout !== null) await Promise.race([once(child.stdout, 'data'), gone]);
  await setTimeout(randomInt(60));
  child.kill('SIGKILL');
  await gone;
  // A child that ended by itself met a state that it could not work with: that is the failure to look for.
  expect(complaints).toBe('');
}

async function packagesOf(store: BlobStore): Promise<string[]> {
  const guids: string[] = [];
  for await (const { key } of listBlobs(store, { signal, kinds: ['packages'] })) guids.push(key.name);
  return guids;
}

it('has no incomplete blob after 200 kills at random points, goes on after each, and sweeps what is left', {
  timeout: 300_000,
}, async () => {
  const root = await mkdtemp(join(tmpdir(), 'stager-kill-'));
  const address = join(root, 'store');
  const store = await openBlobStore(address);
  try {
    for (let n = 0; n < KILLS; n += AT_ONCE) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, (_, m) => killOne(address, n + m, join(root, 'apps'))),
      );
      if (n % 40 === 0) expect((await verifyBlobs(store, { signal })).damaged).toEqual([]);
    }
    expect((await verifyBlobs(store, { signal })).damaged).toEqual([]);
    for (const name of await packagesOf(store)) {
      const guid = parseGuid(name);
      if (guid === undefined) continue;
      const files = await contentsOf(store, guid);
      expect(Object.values(files).map((file) => file.length)).toEqual([0, 1, 2, 3, 4].map((f) => 1_004 + f));
    }
    await mkdir(join(root, 'app'));
    await writeFile(join(root, 'app/file'), 'whole');
    const { guid } = await createPackage(await openSource(join(root, 'app')), { store, signal });
    expect(await contentsOf(store, guid)).toEqual({ file: '644 whole' });
    // Leases of the dead would run out by themselves; here their time is over.
    const leases = (await packagesOf(store)).filter((name) => name.startsWith('leases/'));
    for (const name of leases) await store.delete({ kind: 'packages', name }, { signal });
    for (let n = 0; n < 3; n++) await collectGarbage(store, { signal, graceMs: 0, keepPackages: 1 });
    expect((await store.sweep({ signal, minAgeMs: 0 })).length).toBe(0);
    const temporary = await readdir(join(address, '.tmp'), { recursive: true, withFileTypes: true });
    expect(temporary.filter((entry) => entry.isFile())).toEqual([]);
    expect(await contentsOf(store, guid)).toEqual({ file: '644 whole' });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
