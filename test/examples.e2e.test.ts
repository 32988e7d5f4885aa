import { execFile, spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));
const execute = promisify(execFile);
const commands = z.object({ before_script: z.array(z.string()), script: z.array(z.string()) });
const github = z.object({ run: z.string().optional() });
const circle = z.union([z.string(), z.object({ run: z.object({ command: z.string() }).optional() }).loose()]);

/** Name of the file → the commands of its job, in order. */
const CI: Readonly<Record<string, (document: unknown) => readonly string[]>> = {
  'github-actions.yml': (document) =>
    z
      .object({ jobs: z.object({ stage: z.object({ steps: z.array(github) }) }) })
      .parse(document)
      .jobs.stage.steps.flatMap(({ run }) => run ?? []),
  'gitlab-ci.yml': (document) => {
    const { before_script: before, script } = z.object({ stage: commands }).parse(document).stage;
    return [...before, ...script];
  },
  'circleci.yml': (document) =>
    z
      .object({ jobs: z.object({ stage: z.object({ steps: z.array(circle) }) }) })
      .parse(document)
      .jobs.stage.steps.flatMap((step) => (typeof step === 'string' ? [] : (step.run?.command ?? []))),
};

let home = '';

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'stager-examples-'));
  await mkdir(join(home, 'bin'));
  // What `npm install --global` would have made.
  await writeFile(join(home, 'bin/stager'), `#!/bin/sh\nexec ${root}bin/stager "$@"\n`, { mode: 0o755 });
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: [join(home, 'bin'), process.env['PATH']].join(delimiter),
  STAGER_HOME: join(home, 'data'),
  STAGER_BLOBSTORE: './droplets',
});

describe('examples/ci', () => {
  it.each(Object.entries(CI))('%s turns a checkout into a droplet', async (name, commandsOf) => {
    const checkout = join(home, name);
    await cp(join(root, 'fixtures/apps/static-site'), join(checkout, 'shop'), { recursive: true });
    const document: unknown = parse(await readFile(join(root, 'examples/ci', name), 'utf8'));
    // Only the package itself is not there before it is published; published.e2e.test.ts installs what is packed.
    const all = commandsOf(document)
      .map((command) => command.replace(/^npm install --global stager$/m, ''))
      .filter((command) => command !== '');
    expect(all.join('\n')).toMatch(/runc[\s\S]*stager stage[\s\S]*stager run/);
    for (const command of all) {
      const ran = spawnSync('bash', ['-euo', 'pipefail', '-c', command], {
        cwd: checkout,
        encoding: 'utf8',
        env: environment(),
      });
      expect({ command, status: ran.status, stderr: ran.stderr }).toMatchObject({ status: 0 });
    }
    expect(JSON.parse(await readFile(join(checkout, 'result.json'), 'utf8'))).toMatchObject({
      stager: { outcome: 'staged' },
    });
    expect(await readFile(join(checkout, 'events.jsonl'), 'utf8')).toContain('"staging-ended"');
  });
});

describe('examples/library', () => {
  it('deploy.ts stages the apps of a manifest', async () => {
    const place = join(root, '.cache', 'example-deploy');
    await rm(place, { recursive: true, force: true });
    await mkdir(place, { recursive: true });
    await cp(join(root, 'examples/library/deploy.ts'), join(place, 'deploy.ts'));
    const manifest = join(home, 'manifest.yml');
    await cp(join(root, 'fixtures/apps/static-site'), join(home, 'site'), { recursive: true });
    await writeFile(manifest, 'applications:\n- name: one\n  path: site\n- name: two\n  path: site\n');
    const output = join(home, 'droplets.json');
    await execute(process.execPath, [join(place, 'deploy.ts'), manifest, output], {
      env: { ...process.env, STAGER_CI_HOME: join(home, 'data') },
    });
    expect(JSON.parse(await readFile(output, 'utf8'))).toMatchObject([
      { app: { name: 'one' } },
      { app: { name: 'two' } },
    ]);
  });
});

describe('examples/buildpack', () => {
  it('passes its own lint and test', async () => {
    const buildpack = join(home, 'buildpack');
    await cp(join(root, 'examples/buildpack'), buildpack, { recursive: true });
    for (const command of ['lint', 'test']) {
      const ran = spawnSync('stager', ['buildpack', command, '.'], {
        cwd: buildpack,
        encoding: 'utf8',
        env: environment(),
      });
      expect({ command, status: ran.status, output: ran.stdout + ran.stderr }).toMatchObject({ status: 0 });
    }
  });
});
