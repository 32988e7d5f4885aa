import { afterAll, beforeAll, expect, it } from 'vitest';
import { type MemoryRegistry, startMemoryRegistry } from '../../../../support/memory-registry.ts';
import { type Api, describeApi, detailsIn, guidIn, type Reply, resourcesIn } from '../../support/api.ts';
import { newApp } from '../../support/apps.ts';
import { allowLifecycle, emptyPackage, readyPackage, staged } from '../../support/builds.ts';

const DOCKER = { lifecycle: { type: 'docker', data: {} } };
const PASSWORD = 'correct-horse';

const packageOf = async (api: Api, app: string, data: object): Promise<Reply> =>
  await api.ask('POST', '/v3/packages', {
    body: { type: 'docker', data, relationships: { app: { data: { guid: app } } } },
  });
const logOf = async (api: Api, build: Reply): Promise<string> =>
  (await api.ask('GET', `/v3/builds/${guidIn(build)}/logs?follow=false`)).text;

describeApi('docker images', (api) => {
  let registry: MemoryRegistry;
  beforeAll(async () => {
    registry = await startMemoryRegistry();
    await allowLifecycle(api(), 'docker');
  });
  afterAll(() => registry[Symbol.asyncDispose]());
  const stage = async (data: object, app?: string) => {
    const made = await packageOf(api(), app ?? (await newApp(api(), DOCKER)), data);
    return await staged(api(), guidIn(made));
  };

  it('are packages that are ready at once, and become droplets with what they start', async () => {
    const image = registry.add({
      name: 'shop/web:v1',
      config: {
        Entrypoint: ['/web'],
        Cmd: ['--fast'],
        WorkingDir: '/srv',
        User: '1000',
        ExposedPorts: { '8080/tcp': {} },
      },
    });
    const app = await newApp(api(), DOCKER);
    expect((await api().ask('GET', `/v3/apps/${app}`)).body['lifecycle']).toEqual({
      type: 'docker',
      data: {},
    });
    const made = await packageOf(api(), app, { image });
    expect([made.status, made.body]).toMatchObject([
      201,
      { type: 'docker', state: 'READY', data: { image, username: null, password: null } },
    ]);
    expect(Object.keys(Object(made.body['links'])).toSorted()).toEqual(['app', 'self']);
    const build = await staged(api(), guidIn(made));
    expect(build.body).toMatchObject({ state: 'STAGED', lifecycle: { type: 'docker', data: {} } });
    const droplet = await api().ask('GET', `/v3/droplets/${String(Object(build.body['droplet']).guid)}`);
    expect(droplet.body).toMatchObject({
      state: 'STAGED',
      lifecycle: { type: 'docker', data: {} },
      image,
      stack: null,
      buildpacks: null,
      checksum: null,
      process_types: { web: '/web --fast' },
    });
    expect(JSON.parse(String(droplet.body['execution_metadata']))).toEqual({
      cmd: ['--fast'],
      entrypoint: ['/web'],
      workdir: '/srv',
      ports: [{ Port: 8080, Protocol: 'tcp' }],
      user: '1000',
    });
    expect(await logOf(api(), build)).toMatch(/Staging\.\.\.[\s\S]*1 layer[\s\S]*Staging Complete/);
    const assign = { data: { guid: guidIn(droplet) } };
    await api().ask('PATCH', `/v3/apps/${app}/relationships/current_droplet`, { body: assign });
    const manifest = (await api().ask('GET', `/v3/apps/${app}/manifest`)).text;
    expect(manifest).toContain(`lifecycle: docker\n    docker:\n      image: ${image}\n`);
    const page = await api().ask('GET', `/v3/droplets/${guidIn(droplet)}/download`);
    expect(detailsIn(page)).toEqual(["Cannot download droplets with 'docker' lifecycle."]);
  });

  it('that are private are read with their credentials, which nobody is shown', async () => {
    const image = registry.add({ name: 'private/web', login: `me:${PASSWORD}` });
    const app = await newApp(api(), DOCKER);
    const made = await packageOf(api(), app, { image, username: 'me', password: PASSWORD });
    expect(made.body['data']).toEqual({ image, username: 'me', password: '***' });
    const build = await staged(api(), guidIn(made));
    expect(build.body).toMatchObject({ state: 'STAGED', error: null });
    const copy = await api().ask('POST', `/v3/packages?source_guid=${guidIn(made)}`, {
      body: { relationships: { app: { data: { guid: await newApp(api(), DOCKER) } } } },
    });
    expect(copy.body).toMatchObject({ state: 'READY', data: { image, username: null, password: null } });
    expect((await staged(api(), guidIn(copy))).body).toMatchObject({
      state: 'FAILED',
      error: expect.stringMatching(
        /^StagingError - Staging error: the registry .* refused access.*CF_DOCKER_PASSWORD/,
      ),
    });
    const login = { username: 'me', password: PASSWORD };
    const changed = await api().ask('PATCH', `/v3/packages/${guidIn(copy)}`, { body: login });
    expect(changed.body['data']).toEqual({ image, username: 'me', password: '***' });
    expect((await staged(api(), guidIn(copy))).body).toMatchObject({ state: 'STAGED' });
    const shown = [
      await logOf(api(), build),
      (await api().ask('GET', `/v3/packages?app_guids=${app}`)).text,
      (await api().ask('GET', `/v3/droplets?app_guids=${app}`)).text,
      (await api().ask('GET', '/v3/audit_events?per_page=5000')).text,
      (await api().ask('GET', `/apps/${app}`)).text,
    ].join('\n');
    expect(shown).not.toContain(PASSWORD);
    expect(registry.authorizations).not.toEqual([]);
  });

  it('that want root say so in the log', async () => {
    const build = await stage({ image: registry.add({ name: 'root', config: { User: '0' } }) });
    expect(await logOf(api(), build)).toMatch(/WARNING: the image wants to run as root/);
  });

  it.each([
    ['is not there', () => `${registry.host}/none:v1`, /none:v1 is not there/],
    [
      'is for another platform',
      () => registry.add({ name: 'other', platform: { architecture: 's390x' } }),
      /it is for linux\/s390x, not for linux\//,
    ],
    [
      'is a chart',
      () => registry.add({ name: 'chart', configType: 'application/vnd.cncf.helm.config.v1+json' }),
      /it is not a container image, but application\/vnd\.cncf\.helm\.config/,
    ],
    [
      'has a port that is none',
      () => registry.add({ name: 'port', config: { ExposedPorts: { web: {} } } }),
      /exposes "web", which is not a port/,
    ],
    [
      'is at a registry that nobody reaches',
      () => '127.0.0.1:1/web',
      /the registry 127\.0\.0\.1:1 can't be used.*ask who runs this server/,
    ],
    [
      'is at a registry that only fails',
      () => registry.fault('broken', (_, response) => void response.writeHead(503).end()),
      /it answered 503 after 2 attempts/,
    ],
    [
      'is at a registry that never lets in',
      () =>
        registry.fault(
          'closed',
          (_, response) => void response.writeHead(403).end('{"errors":[{"code":"DENIED","message":"no"}]}'),
        ),
      /refused access: it answered 403 \(DENIED: no\)/,
    ],
    [
      'is at a registry that sends a page',
      () => registry.fault('page', (_, response) => void response.end('<html>')),
      /its registry sent something that is not JSON/,
    ],
    [
      'is of schema 1',
      () => registry.fault('old', (_, response) => void response.end('{"schemaVersion":1}')),
      /schema 1/,
    ],
  ])('fail with a sentence when the image %s', async (_, image, words) => {
    const build = await stage({ image: image() });
    expect(build.body).toMatchObject({ state: 'FAILED', droplet: null });
    expect(build.body['error']).toMatch(/^StagingError - Staging error: /);
    expect(build.body['error']).toMatch(words);
  });

  it.each([
    ['nothing', {}, 'Data Image required'],
    ['an empty name', { image: '' }, 'Data Image required'],
    ['an unknown field', { image: 'web', user: 'me' }, "Data Unknown field(s): 'user'"],
    [
      'a long password',
      { image: 'web', password: 'x'.repeat(5001) },
      'Data docker_password can be up to 5,000 characters',
    ],
    ['a name that is none', { image: 'UPPER' }, /^Data Image "UPPER" is not the name of an image/],
  ])('are refused with %s', async (_, data, words) => {
    const reply = await packageOf(api(), await newApp(api(), DOCKER), data);
    expect([reply.status, detailsIn(reply)]).toEqual([
      422,
      [typeof words === 'string' ? words : expect.stringMatching(words)],
    ]);
  });

  it('are for their own kind of apps', async () => {
    const [bits, image] = [await newApp(api()), await newApp(api(), DOCKER)];
    const refused = async (reply: Promise<Reply>) => {
      const { status, ...rest } = await reply;
      return [status, detailsIn({ status, ...rest }).join()];
    };
    expect(await refused(packageOf(api(), bits, { image: 'web' }))).toEqual([
      422,
      'Cannot create Docker package for a buildpack app.',
    ]);
    const to = (guid: string) => ({ relationships: { app: { data: { guid } } } });
    const plain = { type: 'bits', ...to(image) };
    const sentence = 'Cannot create bits package for a Docker app.';
    expect(await refused(api().ask('POST', '/v3/packages', { body: plain }))).toEqual([422, sentence]);
    const source = await readyPackage(api(), bits);
    const copy = `/v3/packages?source_guid=${source}`;
    expect(await refused(api().ask('POST', copy, { body: to(image) }))).toEqual([422, sentence]);
    expect(await refused(api().ask('PATCH', `/v3/packages/${source}`, { body: { password: 'x' } }))).toEqual([
      422,
      'Cannot update Docker credentials for a buildpack app.',
    ]);
    const docker = guidIn(await packageOf(api(), image, { image: 'web' }));
    expect(await refused(api().ask('GET', `/v3/packages/${docker}/download`))).toEqual([
      422,
      'Package type must be bits.',
    ]);
    const lifecycle = { type: 'docker', data: {} };
    expect(await refused(api().ask('PATCH', `/v3/apps/${bits}`, { body: { lifecycle } }))).toEqual([
      422,
      'Lifecycle type cannot be changed from buildpack to docker',
    ]);
    const build = { package: { guid: source }, lifecycle };
    expect(await refused(api().ask('POST', '/v3/builds', { body: build }))).toEqual([
      422,
      "A bits package can't be staged with the lifecycle docker.",
    ]);
    const droplet = guidIn(await staged(api(), source));
    const [made] = resourcesIn(await api().ask('GET', `/v3/droplets?app_guids=${bits}`));
    expect(droplet).not.toBe('');
    const path = `/v3/droplets?source_guid=${String(made?.['guid'])}`;
    expect(await refused(api().ask('POST', path, { body: to(image) }))).toEqual([
      422,
      'source and destination lifecycle types do not match',
    ]);
    expect(await refused(api().ask('POST', '/v3/droplets', { body: to(image) }))).toEqual([
      422,
      'Droplet creation is not available for apps with docker lifecycles.',
    ]);
  });

  it('are off until an admin turns them on', async () => {
    const app = await newApp(api(), DOCKER);
    const source = guidIn(await packageOf(api(), app, { image: registry.add({ name: 'off' }) }));
    await allowLifecycle(api(), 'docker', false);
    const body = { ...DOCKER, name: 'off', relationships: { space: { data: { guid: api().world.space } } } };
    const replies = [
      await api().ask('POST', '/v3/apps', { body }),
      await api().ask('POST', '/v3/builds', { body: { package: { guid: source } } }),
    ];
    await allowLifecycle(api(), 'docker');
    expect(replies.map((reply) => [reply.status, detailsIn(reply)])).toEqual([
      [403, ['Feature Disabled: diego_docker']],
      [403, ['Feature Disabled: diego_docker']],
    ]);
    expect(replies[0]?.body['errors']).toMatchObject([{ code: 330002, title: 'CF-FeatureDisabled' }]);
  });

  it('are not what an empty package of an image app is', async () => {
    await expect(emptyPackage(api(), await newApp(api(), DOCKER))).rejects.toThrow(/Docker app/);
  });
});
