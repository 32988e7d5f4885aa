import { expect, it } from 'vitest';
import { describeApi, guidIn, resourcesIn } from '../../support/api.ts';
import { newApp } from '../../support/apps.ts';
import { readyPackage, staged } from '../../support/builds.ts';
import { newInstance } from '../../support/services.ts';

describeApi('/v3/audit_events', (api) => {
  it('tell who did what to an app, newest first where asked, and no value of a variable', async () => {
    const app = await newApp(api(), { environment_variables: { TOKEN: 'hunter2' } });
    await api().ask('PATCH', `/v3/apps/${app}`, { body: { name: `renamed-${app}` } });
    await api().ask('PATCH', `/v3/apps/${app}/environment_variables`, {
      body: { var: { TOKEN: 'hunter3' } },
    });
    const reply = await api().ask('GET', `/v3/audit_events?target_guids=${app}&order_by=-created_at&page=1`);
    expect(resourcesIn(reply).map(({ type }) => type)).toEqual([
      'audit.app.update',
      'audit.app.update',
      'audit.app.create',
    ]);
    expect(resourcesIn(reply)[1]).toMatchObject({
      actor: { name: 'admin', type: 'user' },
      target: { guid: app, type: 'app' },
      data: { request: { name: `renamed-${app}` } },
      space: { guid: api().world.space },
      organization: { guid: api().world.organization },
    });
    expect(reply.text).not.toContain('hunter');
  });

  it('tell what was staged and removed, of which app, with its guid', async () => {
    const app = await newApp(api());
    const source = await readyPackage(api(), app);
    const build = await staged(api(), source);
    const { guid: droplet } = resourcesIn(await api().ask('GET', `/v3/apps/${app}/droplets`))[0] ?? {};
    await api().job(await api().ask('DELETE', `/v3/droplets/${String(droplet)}`));
    await api().job(await api().ask('DELETE', `/v3/packages/${source}`));
    const events = resourcesIn(
      await api().ask('GET', `/v3/audit_events?target_guids=${app}&order_by=created_at`),
    );
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      ['audit.app.create', expect.anything()],
      ['audit.app.package.create', expect.objectContaining({ package_guid: source })],
      ['audit.app.package.upload', { package_guid: source }],
      [
        'audit.app.build.create',
        expect.objectContaining({ build_guid: guidIn(build), package_guid: source }),
      ],
      ['audit.app.droplet.delete', { droplet_guid: droplet }],
      ['audit.app.package.delete', { package_guid: source }],
    ]);
    expect(new Set(events.map(({ target }) => JSON.stringify(target))).size).toBe(1);
  });

  it('tell of buildpacks, spaces, roles and services, without their credentials', async () => {
    const made = await api().ask('POST', '/v3/buildpacks', { body: { name: `bp-${crypto.randomUUID()}` } });
    await api().job(await api().ask('DELETE', `/v3/buildpacks/${guidIn(made)}`));
    const instance = await newInstance(api());
    await api().ask('DELETE', `/v3/service_instances/${instance}`);
    const user = api().world.users.outsider.guid;
    const organization = { data: { guid: api().world.organization } };
    const role = await api().ask('POST', '/v3/roles', {
      body: { type: 'organization_user', relationships: { user: { data: { guid: user } }, organization } },
    });
    await api().job(await api().ask('DELETE', `/v3/roles/${guidIn(role)}`));
    const space = await api().ask('POST', '/v3/spaces', {
      body: { name: `s-${crypto.randomUUID()}`, relationships: { organization } },
    });
    await api().job(await api().ask('DELETE', `/v3/spaces/${guidIn(space)}`));
    const guids = [guidIn(made), instance, user, guidIn(space)].join(',');
    const reply = await api().ask('GET', `/v3/audit_events?target_guids=${guids}&order_by=created_at`);
    expect(resourcesIn(reply).map(({ type }) => type)).toEqual([
      'audit.buildpack.create',
      'audit.buildpack.delete',
      'audit.user_provided_service_instance.create',
      'audit.user_provided_service_instance.delete',
      'audit.user.organization_user_add',
      'audit.user.organization_user_remove',
      'audit.space.create',
      'audit.space.delete-request',
    ]);
    expect(reply.text).not.toContain('hunter2');
  });

  it('stay when the app is gone', async () => {
    const app = await newApp(api());
    await api().job(await api().ask('DELETE', `/v3/apps/${app}`));
    const left = resourcesIn(await api().ask('GET', `/v3/audit_events?target_guids=${app}`));
    expect(left.map(({ type }) => type)).toEqual(['audit.app.create', 'audit.app.delete-request']);
  });
});
