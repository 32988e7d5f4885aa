import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { describeApi, detailsIn, resourcesIn } from '../../support/api.ts';
import { allowLifecycle } from '../../support/builds.ts';

const YAML = { 'content-type': 'application/x-yaml' };

describeApi('manifests', (api) => {
  const post = async (path: string, body: string) =>
    await api().ask('POST', `/v3/spaces/${api().world.space}/${path}`, { body, headers: YAML });
  const apply = async (body: string) => await post('actions/apply_manifest', body);
  const applied = async (body: string): Promise<void> => await api().job(await apply(body));
  const appNamed = async (name: string) => {
    const [app] = resourcesIn(await api().ask('GET', `/v3/apps?names=${name}`));
    return `/v3/apps/${String(app?.['guid'])}`;
  };
  const documentOf = async (path: string): Promise<unknown> =>
    parse((await api().ask('GET', `${path}/manifest`)).text);

  it('makes apps, their processes, variables, routes and sidecars', async () => {
    await applied(`applications:
- name: whole
  path: /somewhere/of/the/client
  env: { A: 1, B: [x] }
  metadata: { labels: { team: shop } }
  processes:
  - { type: web, instances: 2, memory: 1G, health-check-type: http, health-check-http-endpoint: /up, timeout: 9 }
  - { type: worker, command: run it, disk_quota: 64M }
  sidecars:
  - { name: agent, command: ./agent, process_types: [web], memory: 16M }
  routes:
  - { route: whole.apps.localhost/x }
- name: plain
  memory: 64M
  command: ./go
  default-route: true
`);
    expect(await documentOf(await appNamed('whole'))).toEqual({
      applications: [
        {
          name: 'whole',
          lifecycle: 'buildpack',
          env: { A: '1', B: '["x"]' },
          metadata: { labels: { team: 'shop' } },
          routes: [{ route: 'whole.apps.localhost/x', protocol: 'http1' }],
          processes: [
            expect.objectContaining({
              type: 'web',
              instances: 2,
              memory: '1024M',
              'health-check-http-endpoint': '/up',
              timeout: 9,
            }),
            expect.objectContaining({ type: 'worker', command: 'run it', disk_quota: '64M', instances: 0 }),
          ],
          sidecars: [{ name: 'agent', command: './agent', process_types: ['web'], memory: '16M' }],
        },
      ],
    });
    expect(await documentOf(await appNamed('plain'))).toMatchObject({
      applications: [
        {
          routes: [{ route: 'plain.apps.localhost' }],
          processes: [{ type: 'web', memory: '64M', command: './go' }],
        },
      ],
    });
  });

  it('changes nothing when what an app has is applied again, and the diff says so', async () => {
    await applied('applications:\n- name: again\n  env: { K: v }\n  random-route: true\n  memory: 96M\n');
    const path = await appNamed('again');
    const { text } = await api().ask('GET', `${path}/manifest`);
    expect((await post('manifest_diff', text)).body).toEqual({ diff: [] });
    await applied(text);
    expect((await api().ask('GET', `${path}/manifest`)).text).toBe(text);
  });

  it('tells what would change, and only that', async () => {
    await applied('applications:\n- name: differs\n  instances: 3\n  env: { K: old }\n');
    const { body } = await post(
      'manifest_diff',
      'applications:\n- name: differs\n  env: { K: new, N: x }\n  processes:\n  - { type: web, instances: 1, memory: 1G }\n- name: unborn\n  memory: 1G\n',
    );
    expect(body).toEqual({
      diff: [
        { op: 'replace', path: '/applications/0/env/K', was: 'old', value: 'new' },
        { op: 'add', path: '/applications/0/env/N', value: 'x' },
        { op: 'replace', path: '/applications/0/processes/0/instances', was: 3, value: 1 },
        { op: 'add', path: '/applications/1/name', value: 'unborn' },
        { op: 'add', path: '/applications/1/memory', value: '1G' },
      ],
    });
  });

  it('keeps the routes of an app where only a default one is asked for, and takes them away with no-route', async () => {
    await applied('applications:\n- name: routed\n  routes: [{ route: other.apps.localhost }]\n');
    await applied('applications:\n- name: routed\n  default-route: true\n');
    const path = await appNamed('routed');
    expect(resourcesIn(await api().ask('GET', `${path}/routes`)).map(({ url }) => url)).toEqual([
      'other.apps.localhost',
    ]);
    await applied('applications:\n- name: routed\n  no-route: true\n');
    expect(resourcesIn(await api().ask('GET', `${path}/routes`))).toEqual([]);
  });

  it('name the default route after the app, in its case', async () => {
    await applied('applications:\n- name: Loud App\n  default-route: true\n');
    const found = resourcesIn(await api().ask('GET', '/v3/routes?hosts=loud-app'));
    expect(found.map(({ url }) => url)).toEqual(['Loud-App.apps.localhost']);
  });

  it.each([
    ['- instances: 1\n', 'For application at index 0: Name must not be empty'],
    ['- name: A\n  instances: -1\n', "For application 'A': Instances must be greater than or equal to 0"],
    ['- name: A\n  buildpacks: [wut]\n', 'For application \'A\': Specified unknown buildpack name: "wut"'],
    ['- name: A\n  stack: nope\n', "For application 'A': Stack must be an existing stack"],
    [
      '- name: A\n  memory: lots\n',
      "For application 'A': Memory must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB",
    ],
    ['- name: A\n- name: A\n', "Manifest has two applications called 'A'"],
  ])('refuses %j, and makes nothing', async (apps, sentence) => {
    const refused = await apply(`applications:\n${apps}`);
    expect([refused.status, detailsIn(refused)]).toEqual([422, [sentence]]);
    expect(resourcesIn(await api().ask('GET', '/v3/apps?names=A'))).toEqual([]);
  });

  it.each([
    ['docker: { image: nginx }', /^For application 'B': Feature Disabled: diego_docker$/],
    ['lifecycle: cnb', /^For application 'B': Feature Disabled: diego_cnb$/],
    ['lifecycle: other', /^For application 'B': Lifecycle must be "buildpack", "cnb", or "docker"$/],
    ['env: { VCAP_X: y }', /VCAP_X/],
  ])('refuses an app with %s in a sentence', async (key, words) => {
    const refused = await apply(`applications:\n- name: B\n  ${key}\n`);
    expect([refused.status, detailsIn(refused).join()]).toEqual([422, expect.stringMatching(words)]);
  });

  it('makes apps of images, and keeps buildpacks and images apart', async () => {
    await allowLifecycle(api(), 'docker');
    await api().job(await apply('applications:\n- name: imaged\n  docker: { image: nginx, username: me }\n'));
    const [made] = resourcesIn(await api().ask('GET', '/v3/apps?names=imaged'));
    expect(made).toMatchObject({ lifecycle: { type: 'docker', data: {} } });
    await applied('applications:\n- name: plain\n');
    const refused = async (text: string) => detailsIn(await apply(`applications:\n- ${text}\n`));
    expect([
      await refused('{ name: x, docker: { image: a }, buildpacks: [staticfile_buildpack] }'),
      await refused('{ name: imaged, buildpacks: [staticfile_buildpack] }'),
      await refused('{ name: imaged, buildpack: staticfile_buildpack }'),
      await refused('{ name: imaged, lifecycle: buildpack }'),
      await refused('{ name: plain, docker: { image: a } }'),
    ]).toEqual([
      ["For application 'x': Cannot specify both buildpack(s) and docker keys"],
      ["For application 'imaged': Buildpacks cannot be configured for a docker lifecycle app."],
      ["For application 'imaged': Buildpack cannot be configured for a docker lifecycle app."],
      ["For application 'imaged': Lifecycle type cannot be changed from docker to buildpack"],
      ["For application 'plain': Docker cannot be configured for a buildpack lifecycle app."],
    ]);
    // What an image can't have is left alone, as with Cloud Controller.
    await api().job(await apply('applications:\n- name: imaged\n  stack: cflinuxfs4\n'));
    await allowLifecycle(api(), 'docker', false);
  });

  it.each(['[', 'applications: [', 'a: &x [*x]', 'nothing: here'])('refuses the body %j', async (text) => {
    expect((await apply(text)).status).toBeOneOf([400, 422]);
  });

  it('says in the job what only shows while it is applied', async () => {
    const reply = await apply('applications:\n- name: unlucky\n  services: [nope]\n');
    await api().service.jobs.idle();
    const { body } = await api().ask('GET', reply.headers.get('location') ?? '');
    expect(body).toMatchObject({
      state: 'FAILED',
      errors: [{ detail: "For application 'unlucky': Service instance 'nope' not found" }],
    });
  });
});
