/**
 * `node test/faults/crowd.ts`: 200 builds of 20 spaces that wait at once, for three workers. Says how fair the order was,
 * how long all took, and how much memory the server had. Exit status 1 when something does not hold.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { z } from 'zod';
import { Client } from './client.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { broken } from './invariants.ts';

const [SPACES, BUILDS_OF_EACH] = [20, 10];
const APP = { variables: { FAKE_PAUSE: '500', FAKE_LINES: '200' }, buildpacks: [] };
const ASK_AT_ONCE = 8;

const Claims = z.array(z.object({ space: z.string(), waited_s: z.coerce.number() }));

const fleet = await startFleet();
try {
  const report = await crowd(fleet);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = report.broken.length === 0 ? 0 : 1;
} finally {
  await fleet.stop();
}

async function crowd(fleet: Fleet) {
  const client = new Client(fleet);
  // Nobody takes anything before all is there.
  for (const worker of fleet.workers) await fleet.kill(worker, 'SIGTERM');
  const spaces = await inTurns([...Array(SPACES).keys()], (n) => client.newSpace(`space-${n}`));
  const apps = spaces.flatMap((space) => [...Array(BUILDS_OF_EACH).keys()].map((n) => ({ space, n })));
  const sources = await inTurns(apps, ({ space, n }) => client.newPackage(space, `app-${n}`, APP));
  const before = await memoryOf(fleet);
  const builds = await inTurns(sources, (source) => client.stage(source));
  const queued = await memoryOf(fleet);
  const startedAt = Date.now();
  for (const worker of fleet.workers) await fleet.restart(worker);
  let most = queued;
  const database = new pg.Client({ connectionString: fleet.database });
  await database.connect();
  try {
    for (;;) {
      const { rows } = await database.query("select count(*)::int as n from builds where state = 'STAGING'");
      most = Math.max(most, await memoryOf(fleet));
      if (rows[0]?.n === 0) break;
      await setTimeout(500);
    }
    const seconds = Math.round((Date.now() - startedAt) / 100) / 10;
    const claims = await database.query(`
      select a.space_guid as space, extract(epoch from b.claimed_at - b.created_at) as waited_s
      from builds b join apps a on a.guid = b.app_guid order by b.claimed_at, b.id`);
    const order = Claims.parse(claims.rows);
    const { rows } = await database.query("select count(*)::int as n from builds where state = 'STAGED'");
    return {
      builds: builds.length,
      staged: rows[0]?.n,
      seconds,
      turnsApart: turnsApart(order.map(({ space }) => space)),
      serverMiB: { before, queued, most, after: await memoryOf(fleet) },
      broken: await broken(fleet),
    };
  } finally {
    await database.end();
  }
}

/** How many builds more than another that still waits a space had begun, at worst: 1 is taking turns exactly. */
function turnsApart(order: readonly string[]): number {
  const begun = new Map(order.map((space) => [space, 0]));
  let worst = 0;
  for (const space of order) {
    begun.set(space, (begun.get(space) ?? 0) + 1);
    const waiting = [...begun.values()].filter((n) => n < BUILDS_OF_EACH);
    if (waiting.length > 0) worst = Math.max(worst, Math.max(...begun.values()) - Math.min(...waiting));
  }
  return worst;
}

async function memoryOf({ server }: Fleet): Promise<number> {
  const status = await readFile(`/proc/${server.child.pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? '0') / 1024);
}

/** A few at once, in order. */
async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  for (let at = 0; at < items.length; at += ASK_AT_ONCE) {
    done.push(...(await Promise.all(items.slice(at, at + ASK_AT_ONCE).map(work))));
  }
  return done;
}
