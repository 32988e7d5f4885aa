import { expect, it } from 'vitest';
import { newGuid, parseGuid } from '../../../../../src/words/ids.ts';
import { describeApi, detailsIn, guidIn, resourcesIn } from '../../support/api.ts';
import { newApp } from '../../support/apps.ts';
import { emptyPackage, readyPackage, staged } from '../../support/builds.ts';

describeApi('builds', (api) => {
  it('make a droplet of a package', async () => {
    const app = await newApp(api());
    const source = await readyPackage(api(), app);
    const build = await staged(api(), source, { staging_memory_in_mb: 512, staging_disk_in_mb: 700 });
    expect(build.body).toMatchObject({
      state: 'STAGED',
      error: null,
      staging_memory_in_mb: 512,
      staging_disk_in_mb: 700,
      staging_log_rate_limit_bytes_per_second: -1,
      package: { guid: source },
      lifecycle: { type: 'buildpack', data: { buildpacks: [] } },
      created_by: { name: 'admin' },
    });
    const [droplet] = resourcesIn(await api().ask('GET', `/v3/packages/${source}/droplets?states=STAGED`));
    const shown = await api().ask('GET', `/v3/droplets/${String(droplet?.['guid'])}`);
    expect(shown.body).toMatchObject({
      state: 'STAGED',
      process_types: { web: 'run web', worker: 'run worker' },
      buildpacks: [
        { name: 'fake_buildpack', buildpack_name: 'Fake', version: '1.2.3', detect_output: 'Fake' },
      ],
      relationships: { app: { data: { guid: app } } },
    });
    expect(build.body['droplet']).toEqual({ guid: droplet?.['guid'] });
  });

  it('are given the variables of the group, of the app and of the request, in this order', async () => {
    await api().service.database.run(
      `update environment_variable_groups set var = '{"A":"group","B":"group","C":"group"}' where name = 'staging'`,
    );
    const app = await newApp(api(), { environment_variables: { B: 'app', C: 'app' } });
    await staged(api(), await readyPackage(api(), app), { environment_variables: { C: 'request' } });
    expect(api().means.requests.at(-1)).toMatchObject({
      env: { A: 'group', B: 'app', C: 'request' },
      app: { guid: app, space: { name: 'dev' }, organization: { name: 'acme' } },
      stack: 'host',
      memoryMb: 1024,
    });
    await api().service.database.run(`update environment_variable_groups set var = '{}'`);
  });

  it('fail in the words of Cloud Controller', async () => {
    const app = await newApp(api(), { environment_variables: { FAKE: 'fail' } });
    const build = await staged(api(), await readyPackage(api(), app));
    expect(build.body).toMatchObject({
      state: 'FAILED',
      error: 'BuildpackCompileFailed - App staging failed in the buildpack compile phase',
      droplet: null,
    });
  });

  it('are one at a time for an app, and are ended by whoever may', async () => {
    const app = await newApp(api(), { environment_variables: { FAKE: 'wait' } });
    const body = { package: { guid: await readyPackage(api(), app) } };
    const guid = guidIn(await api().ask('POST', '/v3/builds', { body }));
    const second = await api().ask('POST', '/v3/builds', { body });
    expect(second.status).toBe(422);
    expect(second.body['errors']).toMatchObject([{ code: 170017, title: 'CF-StagingInProgress' }]);
    const ended = await api().ask('PATCH', `/v3/builds/${guid}`, {
      body: { state: 'FAILED', error: 'not needed' },
    });
    expect(ended.body).toMatchObject({ state: 'FAILED' });
    expect(ended.body['error']).toMatch(/^StagingError - .*not needed/);
    const again = await api().ask('PATCH', `/v3/builds/${guid}`, { body: { state: 'FAILED' } });
    expect(detailsIn(again)).toEqual(['The build is FAILED already.']);
  });

  it('need a package that is READY', async () => {
    const guid = await emptyPackage(api(), await newApp(api()));
    const reply = await api().ask('POST', '/v3/builds', { body: { package: { guid } } });
    expect(reply.status).toBe(400);
    expect(detailsIn(reply)).toEqual(['Bad request: Cannot stage package whose state is not ready.']);
  });

  it('take no buildpack that is a file of the server, nor one that there is none of', async () => {
    const guid = await readyPackage(api(), await newApp(api()));
    for (const text of ['/etc', './here', 'file:///etc/x.zip', 'file:///repo.git', 'wut', 'a.zip']) {
      const lifecycle = { type: 'buildpack', data: { buildpacks: [text] } };
      const reply = await api().ask('POST', '/v3/builds', { body: { package: { guid }, lifecycle } });
      expect([text, reply.status]).toEqual([text, 422]);
      expect(detailsIn(reply)[0]).toMatch(/must be an existing admin buildpack or a valid git URI$/);
    }
  });

  it('are filtered by app, package and state', async () => {
    const app = await newApp(api());
    const source = await readyPackage(api(), app);
    const guid = guidIn(await staged(api(), source));
    const found = async (query: string) =>
      resourcesIn(await api().ask('GET', `/v3/builds?${query}`)).map((build) => build['guid']);
    expect(await found(`app_guids=${app}`)).toEqual([guid]);
    expect(await found(`package_guids=${source}&states=STAGED`)).toEqual([guid]);
    expect(await found(`package_guids=${source}&states=FAILED`)).toEqual([]);
    const ofApp = await api().ask('GET', `/v3/apps/${app}/builds`);
    expect(resourcesIn(ofApp).map((build) => build['guid'])).toEqual([guid]);
  });

  it('that a dead server left are taken up again, and fail with the reason after that', async () => {
    const { database, staging } = api().service;
    const app = await newApp(api());
    const guid = guidIn(await staged(api(), await readyPackage(api(), app)));
    const leave = async (attempts: number): Promise<void> => {
      await database.run(
        `update builds set state = 'STAGING', claimed_by = 'dead', attempts = $2, finished_at = null,
           heartbeat_at = now() - interval '1 minute' where guid = $1`,
        [guid, attempts],
      );
      await database.queue.add('builds', parseGuid(guid) ?? newGuid(), database.queries);
      staging.worker.wake();
      await staging.worker.idle();
    };
    await leave(1);
    expect((await api().ask('GET', `/v3/builds/${guid}`)).body).toMatchObject({ state: 'STAGED' });
    await leave(2);
    const { body } = await api().ask('GET', `/v3/builds/${guid}`);
    expect(body).toMatchObject({ state: 'FAILED' });
    expect(body['error']).toMatch(/restarted/);
  });
});
