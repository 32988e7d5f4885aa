import { expect, it } from 'vitest';
import { describeApi, detailsIn, guidIn, resourcesIn } from '../../support/api.ts';
import { readyPackage } from '../../support/builds.ts';

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

  it('stacks say who may use them still: new apps, old ones, nobody', async () => {
    const created = await api().ask('POST', '/v3/stacks', { body: { name: 'cflinuxfs8' } });
    const path = `/v3/stacks/${guidIn(created)}`;
    const become = async (state: string, more = {}) =>
      await api().ask('PATCH', path, { body: { state, ...more } });
    const app = async () =>
      await api().ask('POST', '/v3/apps', {
        body: {
          name: `on-eight-${crypto.randomUUID()}`,
          relationships: { space: { data: { guid: api().world.space } } },
          lifecycle: { type: 'buildpack', data: { stack: 'cflinuxfs8' } },
        },
      });
    const there = guidIn(await app());
    expect((await become('RESTRICTED')).body).toMatchObject({ state: 'RESTRICTED', state_reason: null });
    expect((await app()).body['errors']).toMatchObject([{ code: 250004 }]);
    const ready = await readyPackage(api(), there);
    const stage = async () => await api().ask('POST', '/v3/builds', { body: { package: { guid: ready } } });
    const reason = { state_reason: 'Use cflinuxfs9.' };
    expect((await become('DEPRECATED', reason)).body).toMatchObject(reason);
    const staged = await stage();
    expect(decodeURIComponent(staged.headers.get('x-cf-warnings') ?? '')).toBe(
      "Stack 'cflinuxfs8' is deprecated. Use cflinuxfs9.",
    );
    await api().service.staging.worker.idle();
    expect((await become('DISABLED')).body).toMatchObject({ state: 'DISABLED', state_reason: null });
    expect((await stage()).body['errors']).toMatchObject([{ code: 250004 }]);
    expect((await become('GONE')).status).toBe(422);
  });

  it('every organization has the quota that limits nothing', async () => {
    const organization = await api().ask('GET', `/v3/organizations/${api().world.organization}`);
    const quotas = await api().ask('GET', '/v3/organization_quotas?names=default');
    expect(organization.body).toMatchObject({
      relationships: { quota: { data: { guid: resourcesIn(quotas)[0]?.['guid'] } } },
    });
  });
});
