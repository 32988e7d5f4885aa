/** What has to hold after a fault, whatever it was. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { z } from 'zod';
import { collectDroplets } from '../../src/service/builds/collect-droplets.ts';
import { openDatabase } from '../../src/service/state/database.ts';
import { openBlobStore } from '../../src/stores/blobs/open.ts';
import type { BlobStore } from '../../src/stores/blobs/port/blob-store.ts';
import type { Fleet } from './fleet.ts';

const Counted = z.array(z.object({ what: z.string(), n: z.coerce.number() }));

/** Rows that should not be there, by what is wrong with them. */
const WRONG = `
  select 'a build that goes on' as what, count(*) as n from builds where state = 'STAGING'
  union all select 'a build with two droplets', count(*) from (
    select build_guid from droplets group by build_guid having count(*) > 1) d
  union all select 'a STAGED build without a droplet', count(*) from builds b where state = 'STAGED'
    and not exists (select 1 from droplets d where d.build_guid = b.guid)
  union all select 'a FAILED build with a droplet', count(*) from builds b where state = 'FAILED'
    and exists (select 1 from droplets d where d.build_guid = b.guid)
  union all select 'a FAILED build without a reason', count(*) from builds
    where state = 'FAILED' and coalesce(error_description, '') = ''
  union all select 'a build that is queued though it is over', count(*) from queue.job where name = 'builds'
  union all select 'a log that is not closed', count(*) from build_logs l join builds b on b.guid = l.build_guid
    where l.closed_at is null
  union all select 'a log with a line missing', count(*) from (
    select build_guid from log_lines group by build_guid having max(sequence) <> count(*)) l`;

/** @returns what does not hold. */
export async function broken({ database, blobstore }: Fleet): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  try {
    const { rows } = await client.query(WRONG);
    const wrong = Counted.parse(rows).filter(({ n }) => n > 0);
    return [...wrong.map(({ what, n }) => `${n} × ${what}`), ...(await brokenBlobs(blobstore, client))];
  } finally {
    await client.end();
  }
}

const Droplets = z.array(z.object({ content_key: z.string(), sha256: z.string() }));

/** Every droplet of a row is there and whole. */
async function brokenBlobs(blobstore: string, client: pg.Client): Promise<readonly string[]> {
  const signal = new AbortController().signal;
  const store = await openStore(blobstore);
  const { rows } = await client.query('select content_key, sha256 from droplets');
  const wrong: string[] = [];
  for (const { content_key: name, sha256 } of Droplets.parse(rows)) {
    const info = await store.stat({ kind: 'droplets', name }, { signal });
    if (info?.sha256 !== sha256)
      wrong.push(`the droplet ${name} is ${info === undefined ? 'lost' : 'another'}`);
  }
  return wrong;
}

/** @returns how many blobs of droplets were nobody's, all of them deleted; and how many were left. */
export async function collect({ database, blobstore }: Fleet): Promise<{ deleted: number; left: number }> {
  const opened = await openDatabase({ url: database });
  const signal = new AbortController().signal;
  try {
    const store = await openStore(blobstore);
    const deleted = await collectDroplets({ queries: opened.queries, blobs: store, minAgeMs: 0, signal });
    const left = await collectDroplets({ queries: opened.queries, blobs: store, minAgeMs: 0, signal });
    return { deleted, left };
  } finally {
    await opened.close();
  }
}

/** @returns what stagings left on their machines: workspaces, sandboxes, mounts and processes. */
export async function leftOnWorkers({ homes, workers, disks }: Fleet): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  const own = new Set(disks.map(({ mount }) => mount));
  const left: string[] = [];
  for (const [index, home] of homes.entries()) {
    const workspaces = await readdir(join(home, 'home/workspaces')).catch(() => []);
    const sandboxes = (await readdir(join(home, 'home/sandbox')).catch(() => [])).filter(
      (it) => it !== 'probes.json' && it !== 'etc',
    );
    const mounted = mounts.filter((at) => at.startsWith(`${home}/`) && !own.has(at));
    const pid = String(workers[index]?.child.pid);
    const running = (await processesOf(home)).filter((it) => it !== pid);
    left.push(
      ...workspaces.map((name) => `a workspace ${name}`),
      ...sandboxes.map((name) => `the state of a sandbox ${name}`),
      ...mounted.map((at) => `a mount ${at}`),
      ...running.map((id) => `a process ${id}`),
    );
  }
  return left;
}

/** Ids of processes that name this directory. */
async function processesOf(directory: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(directory) && id !== String(process.pid)) found.push(id);
  }
  return found;
}

async function openStore(address: string): Promise<BlobStore> {
  return await openBlobStore(address, { proxy: {}, extraCas: async () => [] });
}
