import { expect, it } from 'vitest';
import { describeApi, resourcesIn } from '../../support/api.ts';
import { newApp } from '../../support/apps.ts';

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

  it('stay when the app is gone', async () => {
    const app = await newApp(api());
    await api().job(await api().ask('DELETE', `/v3/apps/${app}`));
    const left = resourcesIn(await api().ask('GET', `/v3/audit_events?target_guids=${app}`));
    expect(left.map(({ type }) => type)).toEqual(['audit.app.create', 'audit.app.delete-request']);
  });
});
