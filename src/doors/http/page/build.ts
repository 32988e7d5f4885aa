/** `/builds/:guid`: one build with its phases and its log, and the rest of the log as it comes. */
import { html } from 'ghtml';
import { z } from 'zod';
import { linesAfter } from '../../../service/builds/log-store.ts';
import { type QueuePlace, queuePlaceOf } from '../../../service/queue/waiting.ts';
import { type Build, findBuild } from '../../../service/resources/builds.ts';
import type { Guid } from '../../../words/ids.ts';
import { formatDuration } from '../../../words/units.ts';
import { notFound } from '../route/cf-errors.ts';
import { route } from '../route/define-route.ts';
import { ByGuid } from '../route/params.ts';
import type { CallContext } from '../route/route.ts';
import { visibleApp } from '../v3/apps/find.ts';
import { FollowQuery, type Load, streamOf } from '../v3/logs/build-logs.ts';
import { namedBuildpacks } from './app.ts';
import { answerPage, PAGE } from './layout.ts';
import { type LogWish, logSection } from './log.ts';
import { chosen, code, duration, facts, state, time } from './parts.ts';
import { styledPieces } from './styled-text.ts';
import { timelineOf } from './timeline.ts';

/** Seconds between looks of a browser without script at a build that runs. */
const RELOAD_S = 5;

/** `line`: what is to be in sight; `q`: what is looked for; `log` no: all but the log. */
const BuildQuery = z.object({
  line: z.coerce.number().int().min(1).optional().catch(undefined),
  q: z.string().max(200).optional(),
  log: z.literal('no').optional(),
});

export const buildPage = route({
  method: 'GET',
  path: '/builds/:guid',
  summary: 'Show a build',
  access: 'signed-in',
  params: ByGuid,
  query: BuildQuery,
  answers: PAGE,
  handle: async (call) => {
    const { params, query, service } = call;
    const build = await visibleBuild(call, params.guid);
    const app = await visibleApp(call, build.app_guid);
    const runs = build.state === 'STAGING';
    const place = runs ? await queuePlaceOf(service.database.queries, build.guid) : undefined;
    const wish: LogWish = { build: build.guid, runs, line: query.line, text: query.q };
    const title = `Build ${build.guid.slice(0, 8)}`;
    const main = html`<p class="path"><a href="/apps/${app.guid}">!${chosen(app.name)}</a></p>
      <h1>${title}</h1>
      <section id="facts" aria-label="Facts" data-state="${build.state}">
        !${factsOf(build, place)}
        !${await timelineOf(service.database.queries, build)}
      </section>
      !${query.log === 'no' ? '' : await logSection(service.database.queries, wish)}`;
    return answerPage(call, {
      title: `${title} of ${app.name}`,
      main,
      ...(runs && query.q === undefined && { reloadS: RELOAD_S }),
    });
  },
});

const styledLines: Load = async (queries, build, after) =>
  (await linesAfter(queries, build, { after, most: 500 })).map(({ sequence, stream, text }) => ({
    sequence,
    name: 'line',
    data: JSON.stringify({ sequence, stream, pieces: styledPieces(text) }),
  }));

export const buildLines = route({
  method: 'GET',
  path: '/builds/:guid/lines',
  summary: 'Follow the log of a build, in pieces for the script of the page',
  access: 'signed-in',
  params: ByGuid,
  query: FollowQuery,
  answers: { 200: 'bytes' },
  handle: async (call) => await streamOf(call, styledLines),
});

async function visibleBuild({ caller, service }: CallContext, guid: Guid): Promise<Build> {
  const found = await findBuild(service.database.queries, caller, guid);
  if (found === undefined) throw notFound('Build');
  return found;
}

function factsOf(build: Build, place: QueuePlace | undefined): string {
  const { buildpacks, stack } = build.lifecycle_data;
  const droplet = build.droplet_guid;
  return html`<p role="status">!${state(build.state)} !${place === undefined ? '' : waiting(place)}</p>
    !${build.error_id === null ? '' : html`<p class="problem">!${chosen(`${build.error_id}: ${build.error_description ?? ''}`)}</p>`}
    !${facts([
      ['Droplet', droplet === null ? '–' : html`<a href="/droplets/${droplet}">${droplet.slice(0, 8)}</a>`],
      ['Started', time(build.created_at)],
      ['Took', duration(build.claimed_at ?? build.created_at, build.finished_at)],
      ['By', chosen(build.created_by.name ?? build.created_by.guid)],
      ['Lifecycle', build.lifecycle_type],
      ['Buildpacks', namedBuildpacks(build.lifecycle_type, buildpacks)],
      ['Stack', chosen(stack ?? '–')],
      ['Limits', `${build.staging_memory_in_mb} MB of memory, ${build.staging_disk_in_mb} MB of disk`],
      ['Guid', code(build.guid)],
    ])}`;
}

/** The place in the queue, as the API gives it. */
function waiting({ position, expectedWaitS, reason }: QueuePlace): string {
  const wait =
    expectedWaitS === undefined
      ? 'the expected wait is not known'
      : `the expected wait is about ${formatDuration(expectedWaitS * 1000)}`;
  return html`waiting for a worker: number ${position} in the queue, ${wait} (${reason})`;
}
