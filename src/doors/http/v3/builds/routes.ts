/** `/v3/builds`. */
import { sql } from 'kysely';
import { mayDevelop } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import { queuePlaceOf } from '../../../../service/queue/waiting.ts';
import { findApp } from '../../../../service/resources/apps.ts';
import {
  type Build as BuildRow,
  createBuildRow,
  findBuild,
  labelBuild,
  listBuilds,
} from '../../../../service/resources/builds.ts';
import { findPackage } from '../../../../service/resources/packages.ts';
import type { Guid } from '../../../../words/ids.ts';
import { CfError, notFound, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import type { Call } from '../../route/route.ts';
import { visibleApp } from '../apps/find.ts';
import { presentBuild } from './present.ts';
import {
  AppBuildsQuery,
  BuildAnswer,
  Builds,
  BuildsQuery,
  CreateBuild,
  CreateBuildQuery,
  UpdateBuild,
} from './schema.ts';
import { environmentOf, lifecycleOf } from './wish.ts';

/** Milliseconds. Who follows the log of a build that ended longer ago than this had its time. */
const RECENT_MS = 10_000;

const list = route({
  method: 'GET',
  path: '/v3/builds',
  summary: 'List builds',
  access: 'signed-in',
  query: BuildsQuery,
  answers: { 200: Builds },
  handle: async ({ query, caller, service, base, url }) => {
    const by = { filters: query, paging: pagingOf(query) };
    const page = await listBuilds(service.database.queries, caller, by);
    return { status: 200, body: presentList(page, { base, url, query }, (row) => presentBuild(row, base)) };
  },
});

const listOfApp = route({
  method: 'GET',
  path: '/v3/apps/:guid/builds',
  summary: 'List the builds of an app',
  access: 'signed-in',
  params: ByGuid,
  query: AppBuildsQuery,
  answers: { 200: Builds },
  handle: async (call) => {
    const { query, caller, service, base, url } = call;
    const app = await visibleApp(call, call.params.guid);
    const by = { filters: { ...query, app_guids: [app.guid] }, paging: pagingOf(query) };
    const page = await listBuilds(service.database.queries, caller, by);
    return { status: 200, body: presentList(page, { base, url, query }, (row) => presentBuild(row, base)) };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/builds/:guid',
  summary: 'Get a build; when it is just over, after those who follow its log have read the last line',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: BuildAnswer },
  handle: async (call) => {
    const found = await visibleBuild(call, call.params.guid);
    await letFollowersRead(call, found);
    return { status: 200, body: await shown(call, found.guid) };
  },
});

const create = route({
  method: 'POST',
  path: '/v3/builds',
  summary: 'Stage a package',
  access: 'signed-in',
  query: CreateBuildQuery,
  body: CreateBuild,
  answers: { 201: BuildAnswer },
  handle: async (call) => {
    const { body, caller, service } = call;
    const { queries } = service.database;
    const source = await findPackage(queries, caller, body.package.guid);
    const app = source === undefined ? undefined : await findApp(queries, caller, source.app_guid);
    if (source === undefined || app === undefined) {
      throw unprocessable('Unable to use package. Ensure that the package exists and you have access to it.');
    }
    demand(mayDevelop, await standingInSpace(queries, caller, app.space_guid));
    if (source.state !== 'READY') {
      throw new CfError('BadRequest', 'Bad request: Cannot stage package whose state is not ready.');
    }
    const { memoryMb, diskMb } = service.staging.means.defaults;
    const wish = {
      app,
      package: source.guid,
      ...(await lifecycleOf(queries, { app, source }, { lifecycle: body.lifecycle, warn: call.warn })),
      environment: await environmentOf(queries, app, body),
      memory: body.staging_memory_in_mb ?? memoryMb,
      disk: body.staging_disk_in_mb ?? diskMb,
      logRate: body.staging_log_rate_limit_bytes_per_second ?? -1,
      by: caller,
      trace: call.trace,
      metadata: body.metadata,
    };
    const made = await createBuildRow(service.database, wish, call.query.when_staging);
    if (made.kind === 'refused') {
      throw new CfError('StagingInProgress', 'Only one build can be STAGING at a time per application.');
    }
    const { guid } = made;
    for (const other of made.superseded) {
      await service.staging.worker.cancel(other, `superseded by the build ${guid}`);
    }
    service.staging.worker.wake();
    const facts = { build_guid: guid, package_guid: source.guid };
    await service.audit.record({ type: 'audit.app.build.create', caller, app, request: body, facts });
    return { status: 201, body: await shown(call, guid) };
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/builds/:guid',
  summary: 'Label a build, or end it with state FAILED',
  access: 'signed-in',
  params: ByGuid,
  body: UpdateBuild,
  answers: { 200: BuildAnswer },
  handle: async (call) => {
    const { body, caller, service } = call;
    const { queries } = service.database;
    const found = await visibleBuild(call, call.params.guid);
    demand(mayDevelop, await standingInSpace(queries, caller, found.space_guid));
    if (body.state !== undefined) {
      if (body.state !== 'FAILED')
        throw unprocessable('State can only be FAILED: a build is ended, or left alone.');
      if (found.state !== 'STAGING') throw unprocessable(`The build is ${found.state} already.`);
      await service.staging.worker.cancel(
        found.guid,
        body.error ?? `cancelled by ${caller.name ?? caller.guid}`,
      );
      const app = { guid: found.app_guid, space_guid: found.space_guid };
      const facts = { build_guid: found.guid };
      await service.audit.record({ type: 'audit.app.build.cancel', caller, app, facts });
    }
    if (body.metadata !== undefined) await labelBuild(queries, found.guid, body.metadata);
    return { status: 200, body: await shown(call, found.guid) };
  },
});

export const buildRoutes = [list, listOfApp, get, create, update];

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>;

async function visibleBuild({ caller, service }: Asking, guid: Guid): Promise<BuildRow> {
  const found = await findBuild(service.database.queries, caller, guid);
  if (found === undefined) throw notFound('Build');
  return found;
}

/** With its place in the queue while it waits. */
async function shown(call: Asking & Pick<Call<unknown, unknown, unknown>, 'base'>, guid: Guid) {
  const found = await visibleBuild(call, guid);
  const waits = found.state === 'STAGING';
  const place = waits ? await queuePlaceOf(call.service.database.queries, guid) : undefined;
  return presentBuild(found, call.base, place);
}

async function letFollowersRead({ service }: Asking, build: BuildRow): Promise<void> {
  if (build.finished_at === null || Date.now() - build.finished_at.getTime() > RECENT_MS) return;
  const { last } = await service.database.queries
    .selectFrom('log_lines')
    .where('build_guid', '=', build.guid)
    .select(sql<number>`coalesce(max(at_us), 0)`.as('last'))
    .executeTakeFirstOrThrow();
  await service.staging.followers.haveRead(build.app_guid, Number(last));
}
