/** Recorded with a network, staged again without one, by a package manager that finds all in its cache. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runDroplet, stageApp } from '../support/staged-app.ts';

let home: DirectoryResult;
beforeAll(async () => {
  home = await tempDir({ unsafeCleanup: true });
});
afterAll(() => home.cleanup());

describe('an app that was recorded', () => {
  it.each([
    ['nodejs', 'express', 'NODE_MODULES_CACHE=false', '$ npm ci', 'Hello from express on stager'],
    ['python', 'flask', 'PIP_NO_COLOR=1', '$ uv pip install', 'Hello from flask on stager'],
  ])('%s: is staged without a network, and answers', async (buildpack, app, again, command, answer) => {
    const bundle = join(home.path, `${app}.bundle`);
    stageApp(home.path, app, '-b', buildpack, '--record-dependencies', bundle);
    // Another machine: nothing but the bundle.
    const elsewhere = join(home.path, `elsewhere-${app}`);
    const offline = ['-b', buildpack, '-e', again, '--offline', bundle];
    const { output, droplet } = stageApp(home.path, app, '--home', elsewhere, ...offline);
    expect(output).toContain(command);
    expect(output).not.toContain('Downloading');
    await runDroplet(home.path, droplet, async (url) => {
      expect(await (await fetch(url)).text()).toContain(answer);
    });
  });

  it('is not staged as another one: what the bundle lacks is named', () => {
    const args = ['stage', 'fixtures/apps/go-plain', '--home', join(home.path, 'x'), '-b', 'go'];
    const run = spawnSync('bin/stager', [...args, '--offline', join(home.path, 'express.bundle')], {
      encoding: 'utf8',
    });
    const said = run.stdout + run.stderr;
    expect(said).toContain('was recorded with nodejs, and this staging uses go');
    expect(said).toMatch(/golang\.org\/toolchain\S+ is not in the bundle/);
    expect(run.status).not.toBe(0);
  });
});
