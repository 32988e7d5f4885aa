import { expect, it } from 'vitest';
import { describeApi, detailsIn, guidIn, resourcesIn } from '../../support/api.ts';

describeApi('feature flags and stacks', (api) => {
  it('flags have defaults until somebody sets them', async () => {
    const before = await api().ask('GET', '/v3/feature_flags/diego_docker');
    expect(before.body).toMatchObject({ name: 'diego_docker', enabled: false, updated_at: null });
    const body = { enabled: true, custom_error_message: 'not today' };
    const after = await api().ask('PATCH', '/v3/feature_flags/diego_docker', { body });
    expect(after.body).toMatchObject({ ...body, updated_at: expect.any(String) });
    const all = await api().ask('GET', '/v3/feature_flags?per_page=5000');
    expect(resourcesIn(all)).toContainEqual(after.body);
    const names = resourcesIn(all).map(({ name }) => String(name));
    expect(names).toEqual(names.toSorted());
  });

  it('flags that there are not are not found, in the words that the client knows', async () => {
    const reply = await api().ask('GET', '/v3/feature_flags/nothing');
    expect([reply.status, detailsIn(reply)]).toEqual([404, ['Feature flag not found']]);
  });

  it('stacks are found by name and deleted while no app is staged on them', async () => {
    const stack = await api().ask('POST', '/v3/stacks', { body: { name: 'cflinuxfs9', description: 'new' } });
    expect(stack.body).toMatchObject({ name: 'cflinuxfs9', state: 'ACTIVE', default: false });
    const listed = await api().ask('GET', '/v3/stacks?names=cflinuxfs9');
    expect(resourcesIn(listed)).toEqual([stack.body]);
    const app = await api().ask('POST', '/v3/apps', {
      body: {
        name: 'on-nine',
        relationships: { space: { data: { guid: api().world.space } } },
        lifecycle: { type: 'buildpack', data: { buildpacks: [], stack: 'cflinuxfs9' } },
      },
    });
    expect(resourcesIn(await api().ask('GET', `/v3/stacks/${guidIn(stack)}/apps`))).toHaveLength(1);
    const used = await api().ask('DELETE', `/v3/stacks/${guidIn(stack)}`);
    expect(used.status).toBe(422);
    await api().job(await api().ask('DELETE', `/v3/apps/${guidIn(app)}`));
    expect((await api().ask('DELETE', `/v3/stacks/${guidIn(stack)}`)).status).toBe(204);
  });

  it('every organization has the quota that limits nothing', async () => {
    const organization = await api().ask('GET', `/v3/organizations/${api().world.organization}`);
    const quotas = await api().ask('GET', '/v3/organization_quotas?names=default');
    expect(organization.body).toMatchObject({
      relationships: { quota: { data: { guid: resourcesIn(quotas)[0]?.['guid'] } } },
    });
  });
});
