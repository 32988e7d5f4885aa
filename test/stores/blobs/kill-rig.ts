/** Kills processes that store, package and collect in a loop, at moments that nobody chose, and checks what is left. */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { storePackage } from '../../../src/staging/package/create.ts';
import { collectGarbage } from '../../../src/staging/package/gc.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { verifyBlobs } from '../../../src/stores/blobs/admin.ts';
import { LEASE_PREFIX } from '../../../src/stores/blobs/lease.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { parseGuid } from '../../../src/words/ids.ts';
import { contentsOf, namesOf, signal } from '../../staging/package/support.ts';

const AT_ONCE = 4;
/** STAGER_TEST_KILLS=200 for as many as before a release. */
export const KILLS = Number(process.env['STAGER_TEST_KILLS'] ?? '60');

/** Half a minute of an idle machine; ten of one that has ten times as much to do. */
export const PATIENT = { timeout: 1_800_000 } as const;
/** Uploads beside a collection, then collections beside each other: leases hold those of the first kind back. */
const WORK = ['put', 'package', 'gc', 'package', 'gc', 'put', 'gc', 'gc'] as const;
const script = fileURLToPath(new URL('kill-child.ts', import.meta.url));

/** Where the children work. */
export interface KillRig {
  readonly address: string;
  /** A directory for their apps and their compile cache. */
  readonly root: string;
  readonly kills: number;
}

/** Runs a child to its end, or kills it; it must not have complained. */
async function runChild({ address, root }: KillRig, work: string, n: number): Promise<void> {
  const args = [script, address, work, join(root, 'apps', `app${n % AT_ONCE}`)];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Compiled once: starting 200 processes is most of what this test costs.
    env: { ...process.env, NODE_COMPILE_CACHE: join(root, 'compiled') },
  });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk.toString();
  });
  const gone = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), gone]);
  if (work !== 'nothing') {
    await setTimeout(randomInt(80));
    child.kill('SIGKILL');
  }
  await gone;
  // A child that ended by itself met a state that it could not work with: that is the failure to look for.
  expect(complaints).toBe('');
}

/** Leases of the dead would run out by themselves; here their time is over. */
async function dropLeases(store: BlobStore): Promise<void> {
  for (const name of await namesOf(store, 'packages'))
    if (name.startsWith(LEASE_PREFIX)) await store.delete({ kind: 'packages', name }, { signal });
}

/** Kills, and expects that whatever is listed is whole, that a retry succeeds, and that leftovers are swept. */
export async function killMany(rig: KillRig): Promise<void> {
  const store = await openBlobStore(rig.address);
  await runChild(rig, 'nothing', 0);
  // Where nobody came to store anything there is nothing to verify.
  const first = { kind: 'buildpacks', name: 'first' } as const;
  await store.put(first, Readable.from([Buffer.from('x')]), { contentType: 'text/plain', signal });
  for (let n = 0; n < rig.kills; n += AT_ONCE) {
    const batch = Array.from({ length: AT_ONCE }, (_, m) => n + m);
    await Promise.all(batch.map((m) => runChild(rig, WORK[m % WORK.length] ?? 'put', m)));
    await dropLeases(store);
    if (n % 40 === 0) expect((await verifyBlobs(store, { signal })).damaged).toEqual([]);
  }
  expect((await verifyBlobs(store, { signal })).damaged).toEqual([]);
  for (const name of await namesOf(store, 'packages')) {
    const guid = parseGuid(name);
    if (guid === undefined) continue;
    const files = await contentsOf(store, guid);
    expect(Object.values(files).map((file) => file.length)).toEqual([0, 1, 2, 3, 4].map((f) => 1_004 + f));
  }
  const app = join(rig.root, 'app');
  await mkdir(app);
  await writeFile(join(app, 'file'), 'whole');
  const { guid } = await storePackage(await openSource(app), { store, signal });
  expect(await contentsOf(store, guid)).toEqual({ file: '644 whole' });
  for (let n = 0; n < 3; n++) await collectGarbage(store, { signal, graceMs: 0, keepPackages: 1 });
  // Collections leave to the next one what may have begun beside them. Nobody works here any more.
  await store.sweep({ signal, minAgeMs: 0 });
  expect(await store.sweep({ signal, minAgeMs: 0 })).toEqual([]);
  expect(await contentsOf(store, guid)).toEqual({ file: '644 whole' });
}
