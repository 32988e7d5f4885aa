/** `/v3/buildpacks`, and the build caches of apps. */
import type { Caller } from '../../../../service/access/caller.ts';
import { mayAdminister, mayDevelop } from '../../../../service/access/may.ts';
import { globalStanding } from '../../../../service/access/standing.ts';
import type { TargetEvent } from '../../../../service/resources/audit.ts';
import {
  type Buildpack as BuildpackRow,
  createBuildpack,
  findBuildpack,
  listBuildpacks,
  updateBuildpack,
} from '../../../../service/resources/buildpacks.ts';
import type { Queries } from '../../../../service/state/database.ts';
import { type Guid, newGuid } from '../../../../words/ids.ts';
import { type CfError, notFound, notImplemented, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { accepted } from '../../route/jobs.ts';
import { LIMITS } from '../../route/limits.ts';
import { pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import { readUpload } from '../../route/upload.ts';
import { appToChange } from '../apps/find.ts';
import { presentBuildpack } from './present.ts';
import { BuildpackAnswer, Buildpacks, BuildpacksQuery, CreateBuildpack, UpdateBuildpack } from './schema.ts';

const list = route({
  method: 'GET',
  path: '/v3/buildpacks',
  summary: 'List buildpacks by position',
  access: 'signed-in',
  query: BuildpacksQuery,
  answers: { 200: Buildpacks },
  handle: async ({ query, service, base, url }) => {
    const by = { filters: query, paging: pagingOf(query) };
    const page = await listBuildpacks(service.database.queries, by);
    return {
      status: 200,
      body: presentList(page, { base, url, query }, (row) => presentBuildpack(row, base)),
    };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/buildpacks/:guid',
  summary: 'Get a buildpack',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: BuildpackAnswer },
  handle: async ({ params, service, base }) => {
    const found = await existing(service.database.queries, params.guid);
    return { status: 200, body: presentBuildpack(found, base) };
  },
});

const create = route({
  method: 'POST',
  path: '/v3/buildpacks',
  summary: 'Create a buildpack, whose archive is uploaded then',
  access: 'signed-in',
  body: CreateBuildpack,
  answers: { 201: BuildpackAnswer },
  handle: async ({ body, caller, service, base }) => {
    demand(mayAdminister, globalStanding(caller));
    const { queries } = service.database;
    const { lifecycle, ...fields } = body;
    if (lifecycle === 'cnb') throw notImplemented('cloud native buildpacks');
    await demandStack(queries, body.stack);
    const created = await createBuildpack(queries, fields);
    if (created === undefined) throw taken(body.name, body.stack ?? null);
    await service.audit.recordOn(buildpackEvent('create', created, caller));
    return { status: 201, body: presentBuildpack(created, base) };
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/buildpacks/:guid',
  summary: 'Rename, move, enable, lock or label a buildpack, or set its stack',
  access: 'signed-in',
  params: ByGuid,
  body: UpdateBuildpack,
  answers: { 200: BuildpackAnswer },
  handle: async ({ params, body, caller, service, base }) => {
    const { queries } = service.database;
    const found = await existing(queries, params.guid);
    demand(mayAdminister, globalStanding(caller));
    if (body.stack !== undefined && found.stack !== null && body.stack !== found.stack) {
      throw unprocessable('Buildpack stack cannot be changed');
    }
    await demandStack(queries, body.stack);
    const updated = await updateBuildpack(queries, found.guid, body);
    if (updated === undefined) throw taken(body.name ?? found.name, body.stack ?? found.stack);
    await service.audit.recordOn({ ...buildpackEvent('update', updated, caller), request: body });
    return { status: 200, body: presentBuildpack(updated, base) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/buildpacks/:guid',
  summary: 'Delete a buildpack and its archive, in a job',
  access: 'signed-in',
  params: ByGuid,
  answers: { 202: null },
  handle: async ({ params, caller, service, base }) => {
    const found = await existing(service.database.queries, params.guid);
    demand(mayAdminister, globalStanding(caller));
    await service.audit.recordOn(buildpackEvent('delete', found, caller));
    return accepted(base, await service.jobs.start('buildpack.delete', { guid: found.guid }, caller));
  },
});

const upload = route({
  method: 'POST',
  path: '/v3/buildpacks/:guid/upload',
  summary: 'Upload the archive of a buildpack (bits), checked and stored in a job',
  access: 'signed-in',
  params: ByGuid,
  bodyKind: 'stream',
  bodyLimit: LIMITS.uploadBytes,
  answers: { 202: BuildpackAnswer },
  handle: async ({ params, caller, service, request, base }) => {
    const found = await existing(service.database.queries, params.guid);
    demand(mayAdminister, globalStanding(caller));
    if (found.locked) throw unprocessable('Buildpack is locked');
    const { spool } = service.staging;
    const uploaded = await readUpload(request, spool);
    const file = newGuid();
    try {
      const { bits } = uploaded;
      if (bits === undefined) throw unprocessable("A buildpack zip file must be uploaded as 'bits'");
      if (!/\.zip$/i.test(bits.filename)) throw unprocessable(`${bits.filename.slice(0, 200)} is not a zip`);
      await spool.keep(file, { bits: bits.path });
      const input = { guid: found.guid, file, filename: bits.filename.slice(0, 255) };
      const job = await service.jobs.start('buildpack.upload', input, caller);
      await service.audit.recordOn(buildpackEvent('upload', found, caller));
      return { ...accepted(base, job), body: presentBuildpack(found, base) };
    } finally {
      await uploaded.discard();
    }
  },
});

const clearCache = route({
  method: 'POST',
  path: '/v3/apps/:guid/actions/clear_buildpack_cache',
  summary: 'Delete the build caches of an app, in a job',
  access: 'signed-in',
  params: ByGuid,
  answers: { 202: null },
  handle: async (call) => {
    const app = await appToChange(call, call.params.guid, mayDevelop);
    return accepted(
      call.base,
      await call.service.jobs.start('app.clear_cache', { guid: app.guid }, call.caller),
    );
  },
});

const clearAllCaches = route({
  method: 'POST',
  path: '/v3/admin/actions/clear_buildpack_cache',
  summary: 'Delete the build caches of all apps, in a job',
  access: 'signed-in',
  answers: { 202: null },
  handle: async ({ caller, service, base }) => {
    demand(mayAdminister, globalStanding(caller));
    return accepted(base, await service.jobs.start('admin.clear_caches', {}, caller));
  },
});

export const buildpackRoutes = [list, get, create, update, remove, upload, clearCache, clearAllCaches];

function buildpackEvent(
  what: 'create' | 'update' | 'delete' | 'upload',
  { guid, name }: BuildpackRow,
  caller: Caller,
): TargetEvent {
  return { type: `audit.buildpack.${what}`, caller, target: { guid, type: 'buildpack', name } };
}

async function existing(queries: Queries, guid: Guid): Promise<BuildpackRow> {
  const found = await findBuildpack(queries, guid);
  if (found === undefined) throw notFound('Buildpack');
  return found;
}

async function demandStack(queries: Queries, stack: string | null | undefined): Promise<void> {
  if (stack === null || stack === undefined) return;
  const known = await queries
    .selectFrom('stacks')
    .select('name')
    .where('name', '=', stack)
    .executeTakeFirst();
  if (known === undefined) throw unprocessable(`Stack '${stack}' does not exist`);
}

function taken(name: string, stack: string | null): CfError {
  return stack === null
    ? unprocessable(`Buildpack with name '${name}' and an unassigned stack already exists`)
    : unprocessable(`Buildpack with name '${name}' and stack '${stack}' already exists`);
}
