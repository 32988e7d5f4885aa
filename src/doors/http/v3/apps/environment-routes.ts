/** `/v3/apps/:guid/environment_variables` and `/env`. */
import { mayDevelop, mayReadSecrets } from '../../../../service/access/may.ts';
import { appEnvironment } from '../../../../service/resources/app-environment.ts';
import { type App, patchVariables } from '../../../../service/resources/apps.ts';
import { route } from '../../route/define-route.ts';
import { ByGuid } from '../../route/params.ts';
import { appToChange, appToRead } from './find.ts';
import { Environment, VariablesAnswer, VariablesPatch } from './schema.ts';
import { demandVariables } from './variables.ts';

const getVariables = route({
  method: 'GET',
  path: '/v3/apps/:guid/environment_variables',
  summary: "Get an app's own variables",
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: VariablesAnswer },
  handle: async (call) => {
    const found = await appToRead(call, call.params.guid, mayReadSecrets);
    return { status: 200, body: presentVariables(found, call.base) };
  },
});

const changeVariables = route({
  method: 'PATCH',
  path: '/v3/apps/:guid/environment_variables',
  summary: "Change an app's own variables; null takes one away",
  access: 'signed-in',
  params: ByGuid,
  body: VariablesPatch,
  answers: { 200: VariablesAnswer },
  handle: async (call) => {
    const { caller, service, body } = call;
    const found = await appToChange(call, call.params.guid, mayDevelop);
    demandVariables(body.var);
    const changed = await patchVariables(service.database.queries, found.guid, body.var);
    await service.audit.record({
      type: 'audit.app.update',
      caller,
      app: changed,
      request: { environment_variables: true },
    });
    return { status: 200, body: presentVariables(changed, call.base) };
  },
});

const environment = route({
  method: 'GET',
  path: '/v3/apps/:guid/env',
  summary: 'Get all variables that an app is given',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: Environment },
  handle: async (call) => {
    const found = await appToRead(call, call.params.guid, mayReadSecrets);
    return {
      status: 200,
      body: await appEnvironment(call.service.database.queries, found, { api: call.base }),
    };
  },
});

export const appEnvironmentRoutes = [getVariables, changeVariables, environment];

function presentVariables(app: App, base: string) {
  const self = `${base}/v3/apps/${app.guid}`;
  return {
    var: { ...app.environment_variables },
    links: { self: { href: `${self}/environment_variables` }, app: { href: self } },
  };
}
