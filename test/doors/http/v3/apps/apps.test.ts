import { expect, it } from 'vitest';
import { describeApi, detailsIn, guidIn, resourcesIn } from '../../support/api.ts';
import { newApp, newDroplet } from '../../support/apps.ts';

describeApi('/v3/apps', (api) => {
  const create = async (body: Readonly<Record<string, unknown>>) =>
    await api().ask('POST', '/v3/apps', {
      body: { relationships: { space: { data: { guid: api().world.space } } }, ...body },
    });

  it('makes an app with a web process, stopped', async () => {
    const made = await create({
      name: 'shop',
      environment_variables: { A: 1 },
      metadata: { labels: { k: 'v' } },
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      name: 'shop',
      state: 'STOPPED',
      lifecycle: { type: 'buildpack', data: { buildpacks: [] } },
      relationships: { current_droplet: { data: null } },
      metadata: { labels: { k: 'v' } },
    });
    const path = `/v3/apps/${guidIn(made)}`;
    expect((await api().ask('GET', `${path}/environment_variables`)).body['var']).toEqual({ A: '1' });
    expect(resourcesIn(await api().ask('GET', `${path}/processes`))).toMatchObject([
      { type: 'web', instances: 1, memory_in_mb: 1024 },
    ]);
  });

  it('finds apps by name and space, exactly', async () => {
    await create({ name: 'Findable' });
    const find = async (query: string) =>
      resourcesIn(await api().ask('GET', `/v3/apps?${query}`)).map(({ name }) => name);
    expect(await find(`names=Findable&space_guids=${api().world.space}`)).toEqual(['Findable']);
    expect(await find(`names=findable&space_guids=${api().world.space}`)).toEqual([]);
    expect(await find(`names=Findable&space_guids=${api().world.otherSpace}`)).toEqual([]);
  });

  it('names the space and organization of apps where asked to', async () => {
    const app = await newApp(api());
    const { space, organization } = api().world;
    const included = { spaces: [{ guid: space }], organizations: [{ guid: organization }] };
    for (const path of [`/v3/apps?guids=${app}&`, `/v3/apps/${app}?`]) {
      const { body } = await api().ask('GET', `${path}include=space,space.organization`);
      expect(body['included']).toMatchObject(included);
    }
  });

  it('refuses a name that is taken in the space, whatever its case', async () => {
    await create({ name: 'taken' });
    const again = await create({ name: 'TAKEN' });
    expect([again.status, detailsIn(again)]).toEqual([422, ["App with the name 'TAKEN' already exists."]]);
  });

  it.each([
    [{ type: 'docker', data: {} }, /^Feature Disabled: diego_docker$/],
    [{ type: 'cnb', data: { buildpacks: [] } }, /^Feature Disabled: diego_cnb$/],
    [{ type: 'buildpack', data: { buildpacks: ['nope'] } }, /nope/],
    [{ type: 'buildpack', data: { stack: 'nope' } }, /Stack must be an existing stack/],
  ])('refuses the lifecycle %j in a sentence', async (lifecycle, words) => {
    const refused = await create({ name: crypto.randomUUID(), lifecycle });
    expect(refused.status).toBeOneOf([403, 422]);
    expect(detailsIn(refused).join()).toMatch(words);
  });

  it('takes the address of a buildpack as it is', async () => {
    const address = 'https://github.com/x/y.git#v1';
    const made = await create({
      name: crypto.randomUUID(),
      lifecycle: { type: 'buildpack', data: { buildpacks: [address] } },
    });
    expect(made.body['lifecycle']).toMatchObject({ data: { buildpacks: [address] } });
  });

  it('merges variables, and refuses those of the platform', async () => {
    const path = `/v3/apps/${await newApp(api(), { environment_variables: { A: 'a', B: 'b' } })}`;
    const patch = (body: unknown) => api().ask('PATCH', `${path}/environment_variables`, { body });
    expect((await patch({ var: { A: null, C: 'c' } })).body['var']).toEqual({ B: 'b', C: 'c' });
    const refused = await patch({ var: { VCAP_X: '1', PORT: '2' } });
    expect([refused.status, detailsIn(refused).length]).toEqual([422, 2]);
  });

  it('shows everything that an app is given', async () => {
    const guid = await newApp(api(), { environment_variables: { A: 'a' } });
    expect((await api().ask('GET', `/v3/apps/${guid}/env`)).body).toMatchObject({
      environment_variables: { A: 'a' },
      system_env_json: { VCAP_SERVICES: {} },
      application_env_json: {
        VCAP_APPLICATION: { application_id: guid, space_name: 'dev', organization_name: 'acme' },
      },
    });
  });

  it('uses a droplet of its own only, and takes its process types', async () => {
    const [app, other] = [await newApp(api()), await newApp(api())];
    const droplet = await newDroplet(api(), app, { web: 'run web', worker: 'run worker' });
    const assign = (guid: string) =>
      api().ask('PATCH', `/v3/apps/${guid}/relationships/current_droplet`, {
        body: { data: { guid: droplet } },
      });
    const refused = await assign(other);
    expect([refused.status, detailsIn(refused)]).toEqual([
      422,
      ['Unable to assign current droplet. Ensure the droplet exists and belongs to this app.'],
    ]);
    expect((await assign(app)).body).toMatchObject({ data: { guid: droplet } });
    const processes = resourcesIn(await api().ask('GET', `/v3/apps/${app}/processes`));
    expect(processes).toMatchObject([
      { type: 'web', instances: 1 },
      { type: 'worker', instances: 0 },
    ]);
    expect((await api().ask('GET', `/v3/apps/${app}/processes/worker`)).body['command']).toBe('run worker');
  });

  it('is stopped, and says plainly that it is not started here', async () => {
    const app = await newApp(api());
    expect((await api().ask('POST', `/v3/apps/${app}/actions/stop`)).body['state']).toBe('STOPPED');
    const started = await api().ask('POST', `/v3/apps/${app}/actions/start`);
    expect([started.status, detailsIn(started).join()]).toEqual([422, expect.stringContaining('stager run')]);
  });

  it('goes with all that it owns, in a job', async () => {
    const app = await newApp(api());
    await api().job(await api().ask('DELETE', `/v3/apps/${app}`));
    expect((await api().ask('GET', `/v3/apps/${app}`)).status).toBe(404);
    const left = await api().ask('GET', `/v3/processes?app_guids=${app}`);
    expect(resourcesIn(left)).toEqual([]);
  });
});
