import { expect, it } from 'vitest';
import { describeApi } from '../../support/api.ts';
import { newApp } from '../../support/apps.ts';

describeApi('/v3/environment_variable_groups', (api) => {
  const patch = (name: string, variables: object) =>
    api().ask('PATCH', `/v3/environment_variable_groups/${name}`, { body: { var: variables } });

  it('merge what is said, take away what is null, and reach every app', async () => {
    expect((await api().ask('GET', '/v3/environment_variable_groups/running')).body['var']).toEqual({});
    await patch('running', { A: 1, B: true });
    expect((await patch('running', { B: null, C: 'c' })).body['var']).toEqual({ A: '1', C: 'c' });
    await patch('staging', { ONLY: 'staging' });
    expect((await api().ask('GET', `/v3/apps/${await newApp(api())}/env`)).body).toMatchObject({
      running_env_json: { A: '1', C: 'c' },
      staging_env_json: { ONLY: 'staging' },
    });
  });

  it('are two, and take no names of the platform', async () => {
    expect((await api().ask('GET', '/v3/environment_variable_groups/other')).status).toBe(404);
    expect((await patch('staging', { VCAP_SERVICES: '{}' })).status).toBe(422);
  });
});
