import { expect, it } from 'vitest';
import { describeApi, detailsIn, resourcesIn } from '../../support/api.ts';
import { newApp } from '../../support/apps.ts';

describeApi('/v3/processes', (api) => {
  const web = async () => `/v3/apps/${await newApp(api())}/processes/web`;

  it('is scaled, and every instance of a stopped app is down', async () => {
    const path = await web();
    const scaled = await api().ask('POST', `${path}/actions/scale`, {
      body: { instances: 2, memory_in_mb: 64 },
    });
    expect([scaled.status, scaled.body]).toMatchObject([202, { instances: 2, memory_in_mb: 64 }]);
    expect(resourcesIn(await api().ask('GET', `${path}/stats`))).toEqual([
      { type: 'web', index: 0, state: 'DOWN' },
      { type: 'web', index: 1, state: 'DOWN' },
    ]);
  });

  it('keeps what a health check said, until it is of another type', async () => {
    const path = await web();
    const patch = (body: unknown) => api().ask('PATCH', path, { body });
    await patch({ health_check: { type: 'http', data: { endpoint: '/up', timeout: 9 } } });
    const again = await patch({ health_check: { type: 'http', data: { invocation_timeout: 3 } } });
    expect(again.body['health_check']).toEqual({
      type: 'http',
      data: { endpoint: '/up', timeout: 9, invocation_timeout: 3 },
    });
    const other = await patch({ health_check: { type: 'port' } });
    expect(other.body['health_check']).toEqual({
      type: 'port',
      data: { timeout: null, invocation_timeout: null },
    });
  });

  it.each([
    [{ health_check: { type: 'http', data: { endpoint: 'up' } } }, /must be a valid URI path/],
    [{ health_check: { type: 'wrong' } }, /Health check.type must be one of/],
  ])('refuses %j', async (body, words) => {
    const refused = await api().ask('PATCH', await web(), { body });
    expect([refused.status, detailsIn(refused).join()]).toEqual([422, expect.stringMatching(words)]);
  });

  it('refuses negative instances in a sentence', async () => {
    const refused = await api().ask('POST', `${await web()}/actions/scale`, { body: { instances: -1 } });
    expect(detailsIn(refused).join()).toContain('Instances must be greater than or equal to 0');
  });

  it('says that a type is not there', async () => {
    const missing = await api().ask('GET', (await web()).replace(/web$/, 'nope'));
    expect([missing.status, detailsIn(missing)]).toEqual([404, ['Process not found']]);
  });
});
