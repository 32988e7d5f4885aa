import { beforeAll, expect, it } from 'vitest';
import { ROUTES } from '../../../src/doors/http/all-routes.ts';
import { fieldsOf } from '../../support/compatibility-fields.ts';
import { type Api, describeApi, guidIn, resourcesIn } from './support/api.ts';
import { newApp } from './support/apps.ts';
import { readyPackage, staged } from './support/builds.ts';
import { routeBody } from './support/routing.ts';

/** Parameters that choose nothing. */
const NO_FILTER = /^(?:page|per_page|order_by|include|embed|label_selector|fields\[.*)$|_ats/;
/** Names nothing that is in these lists, and none of the words of a filter that has words. */
const NOTHING = 'eeeeeeee-0000-4000-8000-eeeeeeeeeeee';

const LISTS = ROUTES.filter(
  ({ method, path, query }) =>
    method === 'GET' && /^\/v3\/\w+$/.test(path) && fieldsOf(query).includes('per_page'),
);

/** Something in every list that can have something. */
async function fill(api: Api): Promise<void> {
  const app = await newApp(api);
  await staged(api, await readyPackage(api, app));
  const route = guidIn(await api.ask('POST', '/v3/routes', { body: await routeBody(api) }));
  await api.ask('POST', `/v3/routes/${route}/destinations`, {
    body: { destinations: [{ app: { guid: app } }] },
  });
  const space = { data: { guid: api.world.space } };
  const service = { type: 'user-provided', name: 'db', relationships: { space } };
  const instance = guidIn(await api.ask('POST', '/v3/service_instances', { body: service }));
  const relationships = { app: { data: { guid: app } }, service_instance: { data: { guid: instance } } };
  await api.ask('POST', '/v3/service_credential_bindings', { body: { type: 'app', relationships } });
  await api.ask('POST', '/v3/buildpacks', { body: { name: 'mine' } });
}

describeApi('the filters of lists', (api) => {
  beforeAll(async () => await fill(api()));

  it.each(LISTS.map((route) => [route.path, route] as const))(
    '%s: none is taken and then ignored',
    async (path, route) => {
      const kept: string[] = [];
      for (const name of fieldsOf(route.query).filter((field) => !NO_FILTER.test(field))) {
        const reply = await api().ask('GET', `${path}?${encodeURIComponent(name)}=${NOTHING}`);
        if (reply.status !== 400 && resourcesIn(reply).length > 0) kept.push(name);
      }
      expect(kept).toEqual([]);
    },
  );

  it('labels choose in every list', async () => {
    const kept: string[] = [];
    for (const { path, query } of LISTS) {
      if (!fieldsOf(query).includes('label_selector')) continue;
      const reply = await api().ask('GET', `${path}?label_selector=no-such-label`);
      if (resourcesIn(reply).length > 0) kept.push(path);
    }
    expect(kept).toEqual([]);
  });

  it('times choose in every list', async () => {
    const kept: string[] = [];
    for (const { path, query } of LISTS) {
      for (const name of fieldsOf(query).filter((field) => field.endsWith('_ats[gt]'))) {
        const reply = await api().ask('GET', `${path}?${encodeURIComponent(name)}=2999-01-01T00:00:00Z`);
        if (resourcesIn(reply).length > 0) kept.push(`${path} ${name}`);
      }
    }
    expect(kept).toEqual([]);
  });
});
