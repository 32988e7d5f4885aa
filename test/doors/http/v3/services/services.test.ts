import { expect, it } from 'vitest';
import { describeApi, detailsIn, guidIn, resourcesIn } from '../../support/api.ts';
import { newApp } from '../../support/apps.ts';
import { bindingBody, instanceBody, newInstance } from '../../support/services.ts';

describeApi('services that users provide', (api) => {
  const bind = async (fields: Readonly<Record<string, unknown>>) =>
    await api().ask('POST', '/v3/service_credential_bindings', { body: fields });

  it('reach VCAP_SERVICES of the apps that they are bound to', async () => {
    const [app, instance] = [await newApp(api()), await newInstance(api(), { name: 'db', tags: ['sql'] })];
    const bound = await bind({
      type: 'app',
      name: 'main',
      relationships: { app: { data: { guid: app } }, service_instance: { data: { guid: instance } } },
    });
    expect([bound.status, bound.headers.get('location')]).toEqual([201, null]);
    const environment = await api().ask('GET', `/v3/apps/${app}/env`);
    expect(environment.body['system_env_json']).toEqual({
      VCAP_SERVICES: {
        'user-provided': [
          expect.objectContaining({
            name: 'main',
            instance_name: 'db',
            binding_name: 'main',
            tags: ['sql'],
            credentials: { password: 'hunter2' },
          }),
        ],
      },
    });
    await api().ask('DELETE', `/v3/service_credential_bindings/${guidIn(bound)}`);
    const after = await api().ask('GET', `/v3/apps/${app}/env`);
    expect(after.body['system_env_json']).toEqual({ VCAP_SERVICES: {} });
  });

  it('never show credentials in lists, and name space and organization where fields ask for them', async () => {
    const instance = await newInstance(api());
    const query =
      'fields[space]=guid,name&fields[space.organization]=name&fields[service_plan]=guid,name&guids=';
    const reply = await api().ask('GET', `/v3/service_instances?${query}${instance}`);
    expect(reply.text).not.toContain('hunter2');
    expect(reply.body['included']).toEqual({
      spaces: [{ guid: api().world.space, name: 'dev' }],
      organizations: [{ name: 'acme' }],
      service_plans: [],
      service_offerings: [],
      service_brokers: [],
    });
  });

  it('are bound once, and listed with the names of their apps', async () => {
    const body = await bindingBody(api());
    const first = guidIn(await bind(body));
    expect(detailsIn(await bind(body))).toEqual(['The app is already bound to the service instance']);
    const instance = body.relationships.service_instance.data.guid;
    const listed = await api().ask(
      'GET',
      `/v3/service_credential_bindings?include=app&service_instance_guids=${instance}`,
    );
    expect(resourcesIn(listed).map(({ guid }) => guid)).toEqual([first]);
    expect(listed.body['included']).toMatchObject({
      apps: [{ guid: body.relationships.app.data.guid }],
    });
  });

  it('go with their bindings', async () => {
    const body = await bindingBody(api());
    const binding = guidIn(await bind(body));
    const instance = body.relationships.service_instance.data.guid;
    expect((await api().ask('DELETE', `/v3/service_instances/${instance}`)).status).toBe(204);
    expect((await api().ask('GET', `/v3/service_credential_bindings/${binding}`)).status).toBe(404);
  });

  it('lose their credentials to null, as cf asks for none', async () => {
    const guid = await newInstance(api());
    const reply = await api().ask('PATCH', `/v3/service_instances/${guid}`, { body: { credentials: null } });
    expect(reply.status).toBe(200);
    expect((await api().ask('GET', `/v3/service_instances/${guid}/credentials`)).body).toEqual({});
  });

  it('are changed at once', async () => {
    const path = `/v3/service_instances/${await newInstance(api())}`;
    const body = { credentials: { a: 1 }, syslog_drain_url: 'syslog://x.test', tags: ['t'] };
    const changed = await api().ask('PATCH', path, { body });
    expect([changed.status, changed.headers.get('location'), changed.body]).toMatchObject([
      200,
      null,
      { syslog_drain_url: 'syslog://x.test', tags: ['t'] },
    ]);
    expect((await api().ask('GET', `${path}/credentials`)).body).toEqual({ a: 1 });
  });

  it('have names of their own in a space', async () => {
    const body = instanceBody(api(), { name: 'taken' });
    await api().ask('POST', '/v3/service_instances', { body });
    const again = await api().ask('POST', '/v3/service_instances', { body });
    expect([again.status, detailsIn(again)]).toEqual([422, ['The service instance name is taken: taken.']]);
  });

  it.each([
    [{ type: 'key', name: 'k' }, "Service credential bindings of type 'key' are not supported"],
    [{ parameters: { x: 1 } }, 'Binding parameters are not supported'],
  ])('refuse a binding with %j', async (fields, words) => {
    const refused = await bind(await bindingBody(api(), fields));
    expect([refused.status, detailsIn(refused).join()]).toEqual([422, expect.stringContaining(words)]);
  });

  it('are all that there is: managed ones are refused in a sentence', async () => {
    const refused = await api().ask('POST', '/v3/service_instances', {
      body: { type: 'managed', name: 'x' },
    });
    expect([refused.status, detailsIn(refused).join()]).toEqual([
      422,
      expect.stringContaining('no service brokers'),
    ]);
  });
});
