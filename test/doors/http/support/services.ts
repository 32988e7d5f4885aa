/** Service instances for tests. */
import { type Api, guidIn } from './api.ts';
import { newApp } from './apps.ts';

export function instanceBody(api: Api, fields: Readonly<Record<string, unknown>> = {}) {
  return {
    type: 'user-provided',
    name: `db-${crypto.randomUUID()}`,
    credentials: { password: 'hunter2' },
    relationships: { space: { data: { guid: api.world.space } } },
    ...fields,
  };
}

export async function newInstance(api: Api, fields: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return guidIn(await api.ask('POST', '/v3/service_instances', { body: instanceBody(api, fields) }));
}

export async function bindingBody(api: Api, fields: Readonly<Record<string, unknown>> = {}) {
  return {
    type: 'app',
    relationships: {
      app: { data: { guid: await newApp(api) } },
      service_instance: { data: { guid: await newInstance(api) } },
    },
    ...fields,
  };
}

export async function newBinding(api: Api): Promise<string> {
  const body = await bindingBody(api);
  return guidIn(await api.ask('POST', '/v3/service_credential_bindings', { body }));
}
