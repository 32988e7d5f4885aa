import { expect, it } from 'vitest';
import { describeApi, detailsIn, guidIn, resourcesIn } from '../../support/api.ts';

describeApi('spaces', (api) => {
  const create = async (name: string, organization: string = api().world.organization) =>
    await api().ask('POST', '/v3/spaces', {
      body: { name, relationships: { organization: { data: { guid: organization } } } },
    });

  it('are created in an organization, and listed by name and organization', async () => {
    const { organization, otherOrganization } = api().world;
    const created = await create('Stage');
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      name: 'Stage',
      relationships: { organization: { data: { guid: organization } }, quota: { data: null } },
    });
    await create('stage', otherOrganization);
    const listed = await api().ask('GET', `/v3/spaces?names=STAGE&organization_guids=${organization}`);
    expect(resourcesIn(listed)).toEqual([created.body]);
    const again = await create('stage');
    expect([again.status, detailsIn(again)]).toEqual([422, ['Name must be unique per organization']]);
  });

  it('bring their organizations when asked', async () => {
    const { organization, space } = api().world;
    const one = await api().ask('GET', `/v3/spaces/${space}?include=organization`);
    expect(one.body).toMatchObject({ included: { organizations: [{ guid: organization, name: 'acme' }] } });
    const many = await api().ask('GET', '/v3/spaces?include=organization&names=dev');
    expect(many.body).toMatchObject({ included: { organizations: [{ guid: organization }] } });
  });

  it('are refused in an organization that is not there', async () => {
    const reply = await create('nowhere', crypto.randomUUID());
    expect([reply.status, detailsIn(reply)]).toEqual([
      422,
      ['Invalid organization. Ensure the organization exists and you have access to it.'],
    ]);
  });

  it('are deleted with their apps, in a job', async () => {
    const guid = guidIn(await create('doomed'));
    const app = await api().ask('POST', '/v3/apps', {
      body: { name: 'app', relationships: { space: { data: { guid } } } },
    });
    await api().job(await api().ask('DELETE', `/v3/spaces/${guid}`));
    expect((await api().ask('GET', `/v3/spaces/${guid}`)).status).toBe(404);
    expect((await api().ask('GET', `/v3/apps/${guidIn(app)}`)).status).toBe(404);
  });

  it('can be changed by nobody but admins while the organization is suspended', async () => {
    const organization = guidIn(
      await api().ask('POST', '/v3/organizations', { body: { name: 'suspended', suspended: true } }),
    );
    const manager = api().world.users.organization_manager.guid;
    await api().ask('POST', '/v3/roles', {
      body: {
        type: 'organization_manager',
        relationships: { user: { data: { guid: manager } }, organization: { data: { guid: organization } } },
      },
    });
    const body = { name: 'x', relationships: { organization: { data: { guid: organization } } } };
    const reply = await api().ask('POST', '/v3/spaces', { as: 'organization_manager', body });
    expect(reply.body).toMatchObject({ errors: [{ code: 10017, title: 'CF-OrgSuspended' }] });
    expect((await api().ask('POST', '/v3/spaces', { body })).status).toBe(201);
  });

  it('keep what is said about ssh', async () => {
    const { space } = api().world;
    await api().ask('PATCH', `/v3/spaces/${space}/features/ssh`, { body: { enabled: false } });
    const reply = await api().ask('GET', `/v3/spaces/${space}/features/ssh`);
    expect(reply.body).toMatchObject({ name: 'ssh', enabled: false });
    expect((await api().ask('GET', `/v3/spaces/${space}/features/other`)).status).toBe(404);
  });
});
