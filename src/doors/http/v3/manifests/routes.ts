/** Manifests: applied to a space, compared with it, and made of an app. */
import { Readable } from 'node:stream';
import { stringify } from 'yaml';
import { z } from 'zod';
import { mayDevelop, mayReadSecrets } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import { buildpacksOf, variablesOfManifest } from '../../../../service/manifests/apply.ts';
import { diffOfApp } from '../../../../service/manifests/diff.ts';
import { manifestDocument } from '../../../../service/manifests/document.ts';
import { type ManifestRequest, readManifestRequest } from '../../../../service/manifests/read.ts';
import { type App, createApp } from '../../../../service/resources/apps.ts';
import { spaceSeenBy } from '../../../../service/resources/seen.ts';
import type { Queries } from '../../../../service/state/database.ts';
import type { Guid } from '../../../../words/ids.ts';
import { CfError, notFound, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { accepted } from '../../route/jobs.ts';
import { ByGuid } from '../../route/params.ts';
import type { Call } from '../../route/route.ts';
import { appToRead } from '../apps/find.ts';
import { lifecycleFields } from '../apps/lifecycle.ts';
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
    for (const { app } of apps) await demandKnown(queries, app);
    const targets: { readonly guid: Guid; readonly raw: object }[] = [];
    for (const { app, raw } of apps) {
      const there = await appNamed(queries, params.guid, app.name);
      const target = there ?? (await createApp(queries, params.guid, { name: app.name }));
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

/** What must be right before anything is made. @throws CfError. */
async function demandKnown(queries: Queries, app: ManifestRequest['apps'][number]['app']): Promise<void> {
  const who = `For application '${app.name}': `;
  const type = app.docker === undefined || app.docker === null ? (app.lifecycle ?? 'buildpack') : 'docker';
  if (type !== 'buildpack' && type !== 'docker' && type !== 'cnb') {
    throw unprocessable(`${who}Lifecycle must be "buildpack", "cnb", or "docker"`);
  }
  const data = { buildpacks: buildpacksOf(app)?.slice(), stack: app.stack };
  await lifecycleFields(queries, { type, data }, who);
  demandVariables(variablesOfManifest(app.env ?? {}), who);
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
