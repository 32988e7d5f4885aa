/** `stager login` and `stager stage --server` against a server of its own, over each pair of stores. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import {
  ask,
  createSpace,
  describeServed,
  fixture,
  PASSWORD,
  type Served,
  signIn,
  zipDirectory,
} from '../doors/http/support/served.ts';
import { type Ended, events } from '../support/cli.ts';
import { startMemoryRegistry } from '../support/memory-registry.ts';

const Event = z.looseObject({
  type: z.string(),
  phase: z.looseObject({ name: z.string() }).optional(),
  outcome: z.string().optional(),
});

/** What an event is about, without what differs from one staging to the next. */
function outlineOf({ stdout }: Ended): string[] {
  return z
    .array(Event)
    .parse(events(stdout))
    .filter(({ type }) => type !== 'progress' && type !== 'waiting')
    .map(({ type, phase, outcome }) => [type, phase?.name, outcome].filter(Boolean).join(' '));
}

describeServed('stage --server', (served) => {
  let app = '';
  const remote = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    served().cli.run(['stage', ...args, '--server', served().url], { env });

  beforeAll(async () => {
    const token = await signIn(served().url);
    await createSpace(served().url, token);
    await addTold(served(), token);
    app = await served().cli.app('app', {
      'run.sh': 'true\n',
      Procfile: 'web: sh run.sh\n',
      'a/b/c.txt': 'c',
    });
  });

  it('asks to sign in first, and says how', async () => {
    const { code, stderr } = await remote([app]);
    expect([code, stderr]).toEqual([102, expect.stringContaining(`stager login ${served().url}`)]);
  });

  it('takes a login, which is kept for its owner alone', async () => {
    const { cli, url, dir } = served();
    const wrong = await cli.run(['login', url, '--username', 'admin'], { env: { STAGER_PASSWORD: 'no' } });
    expect(wrong.code).toBe(102);
    const env = { STAGER_PASSWORD: PASSWORD };
    const { code, stdout } = await cli.run(['login', url, '--username', 'admin'], { env });
    expect([code, stdout]).toEqual([0, expect.stringContaining('Signed in')]);
    expect((await stat(join(dir, '.config/stager/logins.json'))).mode & 0o777).toBe(0o600);
  });

  it('tells the same as a staging on this machine', async () => {
    const local = await served().cli.run(['stage', app, '-b', 'binary', '--json']);
    const there = await remote([app, '-b', 'binary_buildpack', '--json']);
    expect([local.code, there.code, there.stderr]).toEqual([0, 0, '']);
    expect(outlineOf(there)).toEqual(outlineOf(local));
    const sent = Buffer.byteLength('true\nweb: sh run.sh\nc');
    expect(events(there.stdout)).toContainEqual(
      expect.objectContaining({ type: 'progress', phase: { name: 'source' }, done: sent, total: sent }),
    );
  });

  it('sends nothing twice, and writes droplet and result', async () => {
    const [droplet, result] = [join(served().dir, 'droplet.tgz'), join(served().dir, 'result.json')];
    const ended = await remote([app, '-b', 'binary_buildpack', '-o', droplet, '--result', result]);
    expect(ended.stdout).toMatch(/source: 3 files, .*, 0 B sent/);
    const digest = createHash('sha256')
      .update(await readFile(droplet))
      .digest('hex');
    expect(ended.stdout).toContain(`sha256:${digest}`);
    expect(JSON.parse(await readFile(result, 'utf8'))).toMatchObject({
      process_types: { web: 'sh run.sh' },
      stager: { outcome: 'staged', droplet: { sha256: digest } },
    });
  });

  it('gives the variables of one staging to its scripts, and shows what they write', async () => {
    const told = ['-b', 'told', '-e', 'SUPPLY=echo the word is $WORD', '-e', 'WORD=given'];
    expect((await remote([app, ...told])).stdout).toContain('the word is given');
  });

  it.each([
    { what: 'a script that fails', args: ['-b', 'told', '-e', 'FINALIZE=exit 7'], code: 223 },
    { what: 'an unknown buildpack', args: ['-b', 'no-such-buildpack'], code: 30 },
    { what: 'a setting that is the server’s', args: ['--network', 'none'], code: 2 },
  ])('ends as on this machine: $what', async ({ args, code }) => {
    expect((await remote([app, ...args])).code).toBe(code);
  });

  it('has an image looked at there, with the credentials for its registry', async () => {
    await using registry = await startMemoryRegistry(served().registryPorts[0]);
    const image = registry.add({ name: 'shop/web:v1', config: { Cmd: ['/web'] }, login: 'me:correct-horse' });
    const login = ['--docker-username', 'me'];
    const password = { CF_DOCKER_PASSWORD: 'correct-horse' };
    const refused = await remote(['--docker-image', image], password);
    expect([refused.code, refused.stderr]).toEqual([101, expect.stringContaining('Feature Disabled')]);

    const { url } = served();
    const flag = { path: '/v3/feature_flags/diego_docker', method: 'PATCH', body: { enabled: true } };
    await ask(url, await signIn(url), flag);
    const unknown = await remote(['--docker-image', image]);
    expect([unknown.code, unknown.stderr]).toEqual([101, expect.stringContaining('refused access')]);
    const { code, stdout, stderr } = await remote(['--docker-image', image, ...login, '--json'], password);
    expect([code, stderr]).toEqual([0, '']);
    expect(events(stdout)).toEqual([
      expect.objectContaining({
        type: 'staged-image',
        app: 'web',
        result: expect.objectContaining({
          process_types: { web: '/web' },
          lifecycle_metadata: { docker_image: image },
          lifecycle_type: 'docker',
        }),
      }),
    ]);
    expect(stdout).not.toContain('correct-horse');
    expect((await remote(['--docker-image', image, '--network', 'none'])).code).toBe(2);
  });

  it('says where a build waits and for what, and ends those that it waits for at Ctrl-C', async () => {
    const { cli, url } = served();
    const start = (name: string, args: readonly string[]) =>
      cli.start(['stage', app, '--server', url, '--app-name', name, ...args, '--json']);
    const sleeps = ['-b', 'told', '-e', 'SUPPLY=echo it began; sleep 600'];
    // As many as the server has slots.
    const running = [start('one', sleeps), start('two', sleeps)];
    for (const one of running) await one.says(/it began/);
    const waiting = start('three', ['-b', 'binary_buildpack']);
    await waiting.says(/"type":"waiting".*\n/);
    for (const one of running) {
      one.child.kill('SIGINT');
      const ended = await one.ended;
      expect(ended.code).toBe(130);
      expect(outlineOf(ended)).toContain('staging-ended cancelled');
    }
    const staged = await waiting.ended;
    expect(staged.code).toBe(0);
    expect(events(staged.stdout)).toContainEqual(
      expect.objectContaining({ type: 'waiting', position: 1, reason: 'it is next' }),
    );
    const builds = await ask(url, await signIn(url), { path: '/v3/builds?states=STAGING' });
    expect(builds).toMatchObject({ resources: [] });
  });

  it('takes a token of the environment, and names a server that does not answer', async () => {
    const env = { STAGER_TOKEN: await signIn(served().url), XDG_CONFIG_HOME: join(served().dir, 'none') };
    expect((await remote([app, '-b', 'binary_buildpack', '--quiet'], env)).code).toBe(0);
    const away = await served().cli.run(['stage', app, '--server', 'http://127.0.0.1:1'], { env });
    expect([away.code, away.stderr]).toEqual([100, expect.stringContaining('127.0.0.1:1 does not answer')]);
  });
});

/** Installs the buildpack that does as it is told. */
async function addTold({ url, dir }: Served, token: string): Promise<void> {
  const { guid } = z
    .object({ guid: z.string() })
    .parse(await ask(url, token, { path: '/v3/buildpacks', body: { name: 'told' } }));
  const zip = await readFile(zipDirectory(fixture('buildpacks/does-as-told'), join(dir, 'told.zip')));
  const form = new FormData();
  form.set('bits', new Blob([zip]), 'told.zip');
  await ask(url, token, { path: `/v3/buildpacks/${guid}/upload`, body: form });
  for (;;) {
    const { state } = z
      .object({ state: z.string() })
      .parse(await ask(url, token, { path: `/v3/buildpacks/${guid}` }));
    if (state === 'READY') return;
    if (state === 'FAILED') throw new Error('the buildpack was not taken');
  }
}
