import { afterAll, beforeAll, expect, it } from 'vitest';
import { type MemoryRegistry, startMemoryRegistry } from '../../../../support/memory-registry.ts';
import { describeApi, detailsIn, guidIn, resourcesIn } from '../../support/api.ts';
import { newApp } from '../../support/apps.ts';
import { allowLifecycle, readyPackage, staged } from '../../support/builds.ts';

const PASSWORD = 'correct-horse';
const YAML = { 'content-type': 'application/x-yaml' };

describeApi('cloud native buildpacks', (api) => {
  let registry: MemoryRegistry;
  let buildpack = '';
  let hidden = '';
  beforeAll(async () => {
    registry = await startMemoryRegistry();
    buildpack = `docker://${registry.add({ name: 'test/hello' })}`;
    hidden = `docker://${registry.add({ name: 'test/hidden', login: `me:${PASSWORD}` })}`;
    await allowLifecycle(api(), 'cnb');
  });
  afterAll(() => registry[Symbol.asyncDispose]());
  const cnb = (data: object) => ({ lifecycle: { type: 'cnb', data } });
  const login = () => ({ [registry.host]: { username: 'me', password: PASSWORD } });
  const stage = async (data: object, env: Readonly<Record<string, string>> = {}) => {
    const app = await newApp(api(), { ...cnb(data), environment_variables: env });
    return await staged(api(), await readyPackage(api(), app));
  };

  it('make a droplet, with what each of them is', async () => {
    const app = await newApp(api(), cnb({ buildpacks: [buildpack], stack: null }));
    const lifecycle = { type: 'cnb', data: { buildpacks: [buildpack], stack: null } };
    expect((await api().ask('GET', `/v3/apps/${app}`)).body['lifecycle']).toEqual(lifecycle);
    const build = await staged(api(), await readyPackage(api(), app));
    expect(build.body).toMatchObject({
      state: 'STAGED',
      lifecycle: { type: 'cnb', data: { buildpacks: [buildpack] } },
    });
    const [droplet] = resourcesIn(await api().ask('GET', `/v3/droplets?app_guids=${app}`));
    expect((await api().ask('GET', `/v3/droplets/${String(droplet?.['guid'])}`)).body).toMatchObject({
      lifecycle: { type: 'cnb', data: {} },
      buildpacks: [
        { name: 'test/hello', buildpack_name: 'test/hello@1.0.0', version: '1.0.0', detect_output: null },
      ],
      process_types: { web: './hello' },
      execution_metadata: '',
      image: null,
      checksum: { type: 'sha256' },
    });
    const download = await api().ask('GET', `/v3/droplets/${String(droplet?.['guid'])}/download`);
    expect(download.status).toBe(302);
    expect((await api().ask('GET', `/v3/apps/${app}/manifest`)).text).toContain(
      `lifecycle: cnb\n    buildpacks:\n      - ${buildpack}\n`,
    );
  });

  it('are fetched with the credentials of their app, which nobody is shown', async () => {
    const data = { buildpacks: [hidden], credentials: login() };
    const app = await newApp(api(), cnb(data));
    const source = await readyPackage(api(), app);
    const build = await staged(api(), source);
    expect(build.body).toMatchObject({ state: 'STAGED', lifecycle: { data: { credentials: '***' } } });
    const manifest = `applications:\n- name: by-manifest\n  lifecycle: cnb\n  buildpacks: ["${hidden}"]\n  cnb-credentials: ${JSON.stringify(login())}\n`;
    const space = `/v3/spaces/${api().world.space}`;
    const send = async (path: string) =>
      await api().ask('POST', `${space}/${path}`, { body: manifest, headers: YAML });
    const diff = [await send('manifest_diff')];
    await api().job(await send('actions/apply_manifest'));
    diff.push(await send('manifest_diff'));
    const [made] = resourcesIn(await api().ask('GET', '/v3/apps?names=by-manifest'));
    const guid = String(made?.['guid']);
    expect(made?.['lifecycle']).toMatchObject({ type: 'cnb', data: { credentials: '***' } });
    expect((await staged(api(), await readyPackage(api(), guid))).body).toMatchObject({ state: 'STAGED' });
    // Those of a build win, and null takes those of an app away.
    const own = {
      package: { guid: source },
      lifecycle: { data: { credentials: { 'r.example': { token: 't' } } } },
    };
    expect((await staged(api(), source, own)).body).toMatchObject({ state: 'FAILED' });
    await api().ask('PATCH', `/v3/apps/${app}`, { body: { lifecycle: { data: { credentials: null } } } });
    expect((await staged(api(), source)).body).toMatchObject({
      state: 'FAILED',
      error: expect.stringMatching(
        /^CNBDownloadBuildpackFailed - cnb: downloading buildpacks failed: the registry .* refused access.*CF_CNB_REGISTRY_CREDS/,
      ),
    });
    const shown = [
      ...diff.map(({ text }) => text),
      (await api().ask('GET', `/v3/apps/${app}`)).text,
      (await api().ask('GET', `/v3/apps/${guid}/manifest`)).text,
      (await api().ask('GET', `/v3/builds?app_guids=${app}`)).text,
      (await api().ask('GET', `/v3/builds/${guidIn(build)}/logs?follow=false`)).text,
      (await api().ask('GET', '/v3/audit_events?per_page=5000')).text,
    ].join('\n');
    expect(shown).not.toContain(PASSWORD);
    expect(shown).toContain('test/hidden');
  });

  it('fail in the words of Cloud Foundry, with the reason', async () => {
    const errors = [
      await stage({ buildpacks: [`docker://${registry.host}/none`] }),
      await stage({ buildpacks: ['docker://127.0.0.1:1/a'] }),
      await stage({ buildpacks: [buildpack] }, { FAKE: 'fail' }),
      await stage({ buildpacks: [buildpack] }, { FAKE: 'undetected' }),
    ].map(({ body }) => body['error']);
    expect(errors).toEqual([
      expect.stringMatching(/^CNBDownloadBuildpackFailed - cnb: .*none:latest is not there/),
      expect.stringMatching(/^CNBDownloadBuildpackFailed - cnb: .*127\.0\.0\.1:1 can't be used/),
      'CNBBuildFailed - cnb: building failed: the script failed',
      'CNBDetectFailed - cnb: detecting failed: nobody wants it',
    ]);
  });

  it.each([
    [
      'a file of the server',
      { buildpacks: ['/etc'] },
      /must be an existing admin buildpack or a valid git URI/,
    ],
    ['a name', { buildpacks: ['staticfile_buildpack'] }, /must be an existing admin buildpack/],
    ['an image that is none', { buildpacks: ['docker://UPPER'] }, /must be an existing admin buildpack/],
    [
      'credentials that are none',
      { credentials: { host: { secret: PASSWORD } } },
      /^Lifecycle Credentials must be a username/,
    ],
  ])('are refused with %s', async (_, data, words) => {
    const body = {
      ...cnb(data),
      name: crypto.randomUUID(),
      relationships: { space: { data: { guid: api().world.space } } },
    };
    const reply = await api().ask('POST', '/v3/apps', { body });
    expect([reply.status, detailsIn(reply).join()]).toEqual([422, expect.stringMatching(words)]);
    expect(reply.text).not.toContain(PASSWORD);
  });

  it('have to be named, since none is installed', async () => {
    const source = await readyPackage(api(), await newApp(api(), cnb({})));
    const reply = await api().ask('POST', '/v3/builds', { body: { package: { guid: source } } });
    expect([reply.status, detailsIn(reply)]).toEqual([
      422,
      [expect.stringMatching(/^stager does not have installed Cloud Native Buildpacks: name some/)],
    ]);
  });

  it('are off until an admin turns them on', async () => {
    const source = await readyPackage(api(), await newApp(api(), cnb({ buildpacks: [buildpack] })));
    await allowLifecycle(api(), 'cnb', false);
    const reply = await api().ask('POST', '/v3/builds', { body: { package: { guid: source } } });
    expect([reply.status, detailsIn(reply)]).toEqual([403, ['Feature Disabled: diego_cnb']]);
    await allowLifecycle(api(), 'cnb');
  });
});
