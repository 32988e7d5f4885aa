/** `/queue`: waiting builds and workers, for operators. */
import { html } from 'ghtml';
import { mayReadPlatform } from '../../../service/access/may.ts';
import { globalStanding } from '../../../service/access/standing.ts';
import { fleetFigures } from '../../../service/metrics/fleet-figures.ts';
import { queuedBuilds } from '../../../service/queue/queued-builds.ts';
import { listWorkers } from '../../../service/queue/workers.ts';
import type { Queries } from '../../../service/state/database.ts';
import { formatCount, formatDuration } from '../../../words/units.ts';
import { route } from '../route/define-route.ts';
import { demandRead } from '../route/demand.ts';
import { answerPage, PAGE } from './layout.ts';
import { chosen, facts, grid, time } from './parts.ts';

const MOST_WAITING = 500;

export const queuePage = route({
  method: 'GET',
  path: '/queue',
  summary: 'Show the queue and the workers',
  access: 'signed-in',
  answers: PAGE,
  handle: async (call) => {
    demandRead(mayReadPlatform, globalStanding(call.caller));
    const { queries } = call.service.database;
    const main = html`<h1>Queue and workers</h1>
      !${await figures(queries)}
      <h2>Waiting builds</h2>
      !${await waiting(queries)}
      <h2>Workers</h2>
      !${await workers(queries)}`;
    return answerPage(call, { title: 'Queue and workers', main });
  },
});

async function figures(queries: Queries): Promise<string> {
  const { waiting: waits, running, oldest_s, slots } = await fleetFigures(queries);
  return facts([
    ['Waiting', formatCount(waits, 'build')],
    ['Running', formatCount(running, 'build')],
    ['Longest wait so far', waits === 0 ? '–' : formatDuration(oldest_s * 1000)],
    ['Slots', String(slots)],
  ]);
}

async function waiting(queries: Queries): Promise<string> {
  const rows = (await queuedBuilds(queries, MOST_WAITING)).map((each) => [
    String(each.position),
    html`<a href="/builds/${each.guid}">${each.guid.slice(0, 8)}</a>`,
    chosen(each.app),
    chosen(each.space),
    time(each.created_at),
    chosen(each.reason ?? 'its turn'),
  ]);
  const columns = ['Position', 'Build', 'App', 'Space', 'Since', 'Waits for'];
  return grid({ caption: 'Waiting builds', columns, rows, none: 'No builds are waiting.' });
}

function stateOf({
  alive,
  draining,
  short_of_disk,
}: Awaited<ReturnType<typeof listWorkers>>[number]): string {
  if (!alive) return 'silent';
  if (draining) return 'draining';
  return short_of_disk === null ? 'alive' : html`takes no builds: ${short_of_disk}`;
}

async function workers(queries: Queries): Promise<string> {
  const rows = (await listWorkers(queries)).map((each) => [
    chosen(each.name),
    stateOf(each),
    `${Number(each.running)} of ${each.slots}`,
    each.memory_in_mb === null ? 'any' : `${each.memory_in_mb} MB`,
    each.disk_in_mb === null ? 'any' : `${each.disk_in_mb} MB`,
    each.stacks === null ? 'all' : each.stacks.map(chosen).join(', '),
    chosen(each.version === '' ? '–' : each.version),
    time(each.heartbeat_at),
  ]);
  const columns = ['Worker', 'State', 'Builds', 'Memory', 'Disk', 'Stacks', 'Version', 'Last seen'];
  return grid({ caption: 'Workers', columns, rows, none: 'There are no workers.' });
}
