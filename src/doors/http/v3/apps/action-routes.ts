/** Starting and stopping, features, permissions. Nothing runs here, so an app can only be stopped. */
import { z } from 'zod';
import { mayDevelop, mayOperateApps, mayReadSecrets } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import { type App as AppRow, setDesiredState, setFeature } from '../../../../service/resources/apps.ts';
import { notFound, notImplemented, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { ByGuid, GuidText } from '../../route/params.ts';
import { appToChange, visibleApp } from './find.ts';
import { demandLifecycle } from './lifecycle.ts';
import { presentApp } from './present.ts';
import { AppAnswer, AppFeature, AppFeatures, FeaturePatch, Permissions, SshEnabled } from './schema.ts';

const stop = route({
  method: 'POST',
  path: '/v3/apps/:guid/actions/stop',
  summary: 'Stop an app',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: AppAnswer },
  handle: async (call) => {
    const { caller, service, base } = call;
    const found = await appToChange(call, call.params.guid, mayOperateApps);
    const stopped = await setDesiredState(service.database.queries, found.guid, 'STOPPED');
    await service.audit.record({ type: 'audit.app.stop', caller, app: stopped });
    return { status: 200, body: presentApp(stopped, base) };
  },
});

const starts = (['start', 'restart'] as const).map((action) =>
  route({
    method: 'POST',
    path: `/v3/apps/:guid/actions/${action}`,
    summary: `Refused: nothing runs behind this API. With --accept-start kept as what is wanted (${action})`,
    access: 'signed-in',
    params: ByGuid,
    answers: { 200: AppAnswer },
    handle: async (call) => {
      const { caller, service, base } = call;
      const found = await appToChange(call, call.params.guid, mayOperateApps);
      if (service.settings.acceptStart !== true) throw nothingRuns();
      const { queries } = service.database;
      if (found.current_droplet_guid === null)
        throw unprocessable('Assign a droplet before starting this app.');
      await demandLifecycle(queries, found.lifecycle_type);
      const started = await setDesiredState(queries, found.guid, 'STARTED');
      await service.audit.record({ type: `audit.app.${action}`, caller, app: started });
      call.warn(`${found.name} is started in name only: stager stages apps and runs none.`);
      return { status: 200, body: presentApp(started, base) };
    },
  }),
);

const FEATURES = new Map([
  ['ssh', 'Enable SSHing into the app.'],
  ['revisions', 'Enable versioning of an application'],
  ['service-binding-k8s', 'Enable k8s service bindings for the app'],
  ['file-based-vcap-services', 'Enable file-based VCAP service bindings for the app'],
]);

const ByFeature = z.object({ guid: GuidText, name: z.string() });

const features = route({
  method: 'GET',
  path: '/v3/apps/:guid/features',
  summary: "List an app's features",
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: AppFeatures },
  handle: async (call) => {
    const found = await visibleApp(call, call.params.guid);
    const here = { href: `${call.base}/v3/apps/${found.guid}/features` };
    const resources = [...FEATURES.keys()].map((name) => featureOf(found, name));
    return {
      status: 200,
      body: {
        resources,
        pagination: {
          total_results: resources.length,
          total_pages: 1,
          first: here,
          last: here,
          next: null,
          previous: null,
        },
      },
    };
  },
});

const feature = route({
  method: 'GET',
  path: '/v3/apps/:guid/features/:name',
  summary: 'Get a feature of an app',
  access: 'signed-in',
  params: ByFeature,
  answers: { 200: AppFeature },
  handle: async (call) => {
    const found = await visibleApp(call, call.params.guid);
    return { status: 200, body: featureOf(found, call.params.name) };
  },
});

const changeFeature = route({
  method: 'PATCH',
  path: '/v3/apps/:guid/features/:name',
  summary: 'Switch a feature of an app. It is kept, and has no effect while nothing runs',
  access: 'signed-in',
  params: ByFeature,
  body: FeaturePatch,
  answers: { 200: AppFeature },
  handle: async (call) => {
    const { params, body, service } = call;
    const found = await appToChange(call, params.guid, mayDevelop);
    const before = featureOf(found, params.name);
    await setFeature(service.database.queries, found.guid, params.name, body.enabled);
    return { status: 200, body: { ...before, enabled: body.enabled } };
  },
});

const sshEnabled = route({
  method: 'GET',
  path: '/v3/apps/:guid/ssh_enabled',
  summary: 'Whether ssh would work: nothing runs here, so it never does',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: SshEnabled },
  handle: async (call) => {
    await visibleApp(call, call.params.guid);
    return { status: 200, body: { enabled: false, reason: 'Disabled globally' } };
  },
});

const permissions = route({
  method: 'GET',
  path: '/v3/apps/:guid/permissions',
  summary: 'What the caller may read of an app',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: Permissions },
  handle: async (call) => {
    const { caller, service, params } = call;
    const found = await visibleApp(call, params.guid);
    const standing = await standingInSpace(service.database.queries, caller, found.space_guid);
    return {
      status: 200,
      body: { read_basic_data: true, read_sensitive_data: mayReadSecrets(standing) },
    };
  },
});

export const appActionRoutes = [stop, ...starts, features, feature, changeFeature, sshEnabled, permissions];

function nothingRuns(): Error {
  return notImplemented(
    'a place to run apps behind this API: it stages them. Use `cf push --no-start`, and start the droplet with `stager run`',
  );
}

function featureOf(app: AppRow, name: string) {
  const description = FEATURES.get(name);
  if (description === undefined) throw notFound('Feature');
  return { name, description, enabled: app.features[name] ?? name === 'revisions' };
}
