/** Manifests: applied to a space, compared with it, and made of an app. */
import { Readable } from 'node:stream';
import { stringify } from 'yaml';
import { z } from 'zod';
import { mayDevelop, mayReadSecrets } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import { lifecycleOfManifest } from '../../../../service/manifests/app-manifest.ts';
import { buildpacksOf, variablesOfManifest } from '../../../../service/manifests/apply.ts';
import { diffOfApp } from '../../../../service/manifests/diff.ts';
import { manifestDocument } from '../../../../service/manifests/document.ts';
import { type ManifestRequest, readManifestRequest } from '../../../../service/manifests/read.ts';
import { type App, createApp } from '../../../../service/resources/apps.ts';
import { spaceSeenBy } from '../../../../service/resources/seen.ts';
import type { Queries } from '../../../../service/state/database.ts';
import type { LifecycleType } from '../../../../service/state/schema-apps.ts';
import type { Guid } from '../../../../words/ids.ts';
import { CfError, notFound, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { accepted } from '../../route/jobs.ts';
import { ByGuid } from '../../route/params.ts';
import type { Call } from '../../route/route.ts';
import { appToRead } from '../apps/find.ts';
import { lifecycleFields, whyOff } from '../apps/lifecycle.ts';
import { demandVariables } from '../apps/variables.ts';

type Asking = Pick<Call<{ readonly guid: Guid }, unknown, unknown>, 'caller' | 'service' | 'params'>;

const Diff = z.object({
  diff: z.array(
    z.object({
      op: z.string(),
      path: z.string(),
      was: z.unknown().optional(),
      value: z.unknown().optional(),
    }),
  ),
});

const apply = route({
  method: 'POST',
  path: '/v3/spaces/:guid/actions/apply_manifest',
  summary: 'Make the apps of a space what a manifest asks for, in a job',
  access: 'signed-in',
  params: ByGuid,
  bodyKind: 'text',
  body: z.string(),
  answers: { 202: null },
  handle: async (call) => {
    const { params, caller, service, base, body } = call;
    await demandSpace(call);
    const { queries } = service.database;
    const { apps } = readOrRefuse(body);
    const wanted = [];
    for (const { app, raw } of apps) {
      const there = await appNamed(queries, params.guid, app.name);
      wanted.push({ app, raw, there, lifecycle: await demandKnown(queries, app, there) });
    }
    const targets: { readonly guid: Guid; readonly raw: object }[] = [];
    for (const { app, raw, there, lifecycle } of wanted) {
      const fresh = { name: app.name, lifecycle_type: lifecycle };
      const target = there ?? (await createApp(queries, params.guid, fresh));
      // Taken between the look and the making, or only differs in case.
      if (target === undefined) throw unprocessable(`App with the name '${app.name}' already exists.`);
      if (there === undefined) {
        await service.audit.record({
          type: 'audit.app.create',
          caller,
          app: target,
          request: { name: app.name },
        });
      }
      await service.audit.record({ type: 'audit.app.apply_manifest', caller, app: target, request: {} });
      targets.push({ guid: target.guid, raw });
    }
    return accepted(base, await service.jobs.start('space.apply_manifest', { apps: targets }, caller));
  },
});

const compare = route({
  method: 'POST',
  path: '/v3/spaces/:guid/manifest_diff',
  summary: 'What applying a manifest would change',
  access: 'signed-in',
  params: ByGuid,
  bodyKind: 'text',
  body: z.string(),
  answers: { 201: Diff },
  handle: async (call) => {
    const { params, service, body } = call;
    await demandSpace(call);
    const { queries } = service.database;
    const diff = [];
    for (const [index, { app, raw }] of readOrRefuse(body).apps.entries()) {
      const there = await appNamed(queries, params.guid, app.name);
      const now = there === undefined ? undefined : await manifestDocument(queries, there);
      diff.push(...diffOfApp(raw, now, index));
    }
    return { status: 201, body: { diff: diff.map((change) => ({ ...change })) } };
  },
});

const manifestOfApp = route({
  method: 'GET',
  path: '/v3/apps/:guid/manifest',
  summary: 'An app as a manifest that makes it again',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: 'bytes' },
  handle: async (call) => {
    const found = await appToRead(call, call.params.guid, mayReadSecrets);
    const document = await manifestDocument(call.service.database.queries, found);
    const text = `---\n${stringify({ applications: [document] }, { lineWidth: 0 })}`;
    return { status: 200, stream: Readable.from([text]), headers: { 'content-type': 'application/x-yaml' } };
  },
});

export const manifestRoutes = [apply, compare, manifestOfApp];

async function demandSpace({ caller, service, params }: Asking): Promise<void> {
  const { queries } = service.database;
  if (!(await spaceSeenBy(queries, caller, params.guid))) throw notFound('Space');
  demand(mayDevelop, await standingInSpace(queries, caller, params.guid));
}

function readOrRefuse(text: string): ManifestRequest {
  const reading = readManifestRequest(text);
  if (reading.ok) return reading.manifest;
  throw reading.kind === 'yaml'
    ? new CfError('MessageParseError', reading.problems)
    : unprocessable(...reading.problems);
}

/** What must be right before anything is made. @throws CfError. @returns the lifecycle of an app that is new. */
async function demandKnown(
  queries: Queries,
  app: ManifestRequest['apps'][number]['app'],
  there: App | undefined,
): Promise<LifecycleType> {
  const who = `For application '${app.name}': `;
  demandVariables(variablesOfManifest(app.env ?? {}), who);
  const asked = lifecycleOfManifest(app);
  const off = await whyOff(queries, asked ?? 'buildpack');
  if (off !== undefined) throw unprocessable(`${who}${off}`);
  const type = asked ?? there?.lifecycle_type ?? 'buildpack';
  const buildpacks = buildpacksOf(app)?.slice();
  if (there?.lifecycle_type === 'buildpack' && type === 'docker')
    throw unprocessable(`${who}Docker cannot be configured for a buildpack lifecycle app.`);
  if (type === 'docker') {
    const named = app.buildpacks === undefined ? 'Buildpack' : 'Buildpacks';
    if (buildpacks !== undefined)
      throw unprocessable(`${who}${named} cannot be configured for a docker lifecycle app.`);
    await lifecycleFields(queries, { type }, { app: there, who });
  } else {
    const data = { buildpacks, stack: app.stack, credentials: app['cnb-credentials'] ?? undefined };
    await lifecycleFields(queries, { type, data }, { app: there, who });
  }
  return type;
}

async function appNamed(queries: Queries, space: Guid, name: string): Promise<App | undefined> {
  return await queries
    .selectFrom('apps')
    .selectAll()
    .where('space_guid', '=', space)
    .where('name', '=', name)
    .where('deleting', '=', false)
    .executeTakeFirst();
}
