import { expect, it } from 'vitest';
import { describeApi, guidIn, resourcesIn } from '../support/api.ts';
import { newApp } from '../support/apps.ts';

describeApi('the little of v2', (api) => {
  it('answers an empty list of apps in the shape of v2', async () => {
    const { text } = await api().ask('GET', '/v2/apps', { as: 'outsider' });
    expect(JSON.parse(text)).toEqual({
      total_results: 0,
      total_pages: 1,
      prev_url: null,
      next_url: null,
      resources: [],
    });
  });

  it('lists apps and stacks in pages', async () => {
    await newApp(api());
    await newApp(api());
    const { body } = await api().ask('GET', '/v2/apps?page=1&results-per-page=1');
    expect(body).toMatchObject({ total_results: 2, next_url: '/v2/apps?page=2&results-per-page=1' });
    const name = `stack-${crypto.randomUUID()}`;
    await api().ask('POST', '/v3/stacks', { body: { name } });
    const stacks = resourcesIn(await api().ask('GET', '/v2/stacks'));
    expect(stacks.map(({ entity }) => entity)).toContainEqual({ name, description: null });
  });

  it('creates a space, and deletes it only when it is empty or all of it may go', async () => {
    const body = { name: 'by-v2', organization_guid: api().world.organization };
    const created = await api().ask('POST', '/v2/spaces', { body });
    expect(created.body).toMatchObject({ entity: body });
    const again = await api().ask('POST', '/v2/spaces', { body });
    expect(again.status).toBe(400);
    expect(again.body).toMatchObject({ error_code: 'CF-UniquenessError', code: 10016 });
    const space = guidIn({ ...created, body: { ...Object(created.body['metadata']) } });
    const relationships = { space: { data: { guid: space } } };
    await api().ask('POST', '/v3/apps', { body: { name: 'inside', relationships } });
    const refused = await api().ask('DELETE', `/v2/spaces/${space}`);
    expect(refused.status).toBe(400);
    expect(refused.body['error_code']).toBe('CF-AssociationNotEmpty');
    expect((await api().ask('DELETE', `/v2/spaces/${space}?recursive=true`)).status).toBe(204);
    expect((await api().ask('GET', `/v3/spaces/${space}`)).status).toBe(404);
  });

  it('makes, shows, binds, changes and removes services that users provide, as cf of version 7 asks', async () => {
    const { space } = api().world;
    const app = await newApp(api(), { name: 'shop-of-v7' });
    const made = await api().ask('POST', '/v2/user_provided_service_instances', {
      body: {
        name: 'db',
        credentials: { uri: 'u' },
        space_guid: space,
        syslog_drain_url: '',
        route_service_url: '',
        tags: null,
      },
    });
    const instance = guidIn({ ...made, body: { ...Object(made.body['metadata']) } });
    const find = async () =>
      resourcesIn(await api().ask('GET', `/v2/spaces/${space}/service_instances?q=name%3Adb`))[0];
    const found = await api().ask('GET', `/v2/apps?q=name%3Ashop-of-v7&q=space_guid%3A${space}`);
    expect(resourcesIn(found)).toMatchObject([{ metadata: { guid: app }, entity: { name: 'shop-of-v7' } }]);
    const body = { app_guid: app, service_instance_guid: instance, parameters: null };
    const bound = await api().ask('POST', '/v2/service_bindings', { body });
    expect(bound.status).toBe(201);
    const again = await api().ask('POST', '/v2/service_bindings', { body });
    expect([again.status, again.body['code']]).toEqual([400, 90003]);
    await api().ask('PUT', `/v2/user_provided_service_instances/${instance}`, { body: { name: 'db2' } });
    expect(await find()).toBeUndefined();
    const summary = await api().ask('GET', `/v2/spaces/${space}/summary`);
    expect(summary.body).toMatchObject({
      apps: expect.arrayContaining([{ guid: app, name: 'shop-of-v7', service_names: ['db2'] }]),
      services: [expect.objectContaining({ name: 'db2', bound_app_count: 1 })],
    });
    const listed = await api().ask('GET', `/v2/service_bindings?q=app_guid%3A${app}`);
    expect(resourcesIn(listed)).toMatchObject([{ entity: { service_instance_guid: instance } }]);
    const kept = await api().ask('DELETE', `/v2/service_instances/${instance}?accepts_incomplete=true`);
    expect([kept.status, kept.body['code']]).toEqual([400, 10006]);
    const { guid } = Object(bound.body['metadata']);
    expect((await api().ask('DELETE', `/v2/service_bindings/${String(guid)}`)).status).toBe(204);
    const gone = await api().ask('DELETE', `/v2/service_instances/${instance}?accepts_incomplete=true`);
    expect(gone.status).toBe(204);
  });

  it('words failures as v2 does: below /v2, and for what there is not outside of /v3', async () => {
    const signedOut = await api().ask('GET', '/v2/apps', { as: 'nobody' });
    expect(signedOut.status).toBe(401);
    expect(signedOut.body).toEqual({
      description: 'Authentication error',
      error_code: 'CF-NotAuthenticated',
      code: 10002,
    });
    for (const path of ['/v2/banana', '/some-random-path']) {
      const { status, body } = await api().ask('GET', path);
      expect(status).toBe(404);
      expect(body).toEqual({ description: 'Unknown request', error_code: 'CF-NotFound', code: 10000 });
    }
  });
});
