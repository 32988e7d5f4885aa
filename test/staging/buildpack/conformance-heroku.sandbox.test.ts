/** Heroku cases of buildpack-contracts.md 7.2; the number of a case is in its name. */
import { cp, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIXTURES } from '../../support/buildpack-rig.ts';
import { conformanceRig, success, variables } from '../../support/conformance.ts';

const rig = conformanceRig();
const PROCFILE = join(FIXTURES, '../../buildpacks/procfile');

describe('compile', () => {
  const env = { appEnv: { MULTI: 'one\ntwo\n', EMPTY: '', PLAIN: 'x' } };

  it('#49 gives ENV_DIR as the third argument to a script with set -u, empty or not', async () => {
    const staged = await rig.stage({ buildpacks: ['heroku-env-dir'] });
    expect(success(staged).buildpacks[0]?.family).toBe('heroku');
    expect(await staged.read('cache/final/heroku')).toBe('cached\n');
  });

  it('#50 delivers config vars as files, byte for byte, and not in the environment', async () => {
    const services = { db: [{ credentials: { uri: 'postgres://u:p@h/d' } }] };
    const staged = await rig.stage({ buildpacks: ['heroku-env-dir'], env: { ...env, services } });
    success(staged);
    expect(await staged.read('app/env-dir/MULTI')).toBe('one\ntwo\n');
    expect(await staged.read('app/env-dir/EMPTY')).toBe('');
    expect(await staged.read('app/env-dir/DATABASE_URL')).toBe('postgres://u:p@h/d');
    const seen = await variables(staged);
    for (const name of ['MULTI', 'EMPTY', 'PLAIN', 'DATABASE_URL']) expect(seen.has(name)).toBe(false);
    expect(seen.get('STACK')).toBe('heroku-24');
    expect(seen.get('SOURCE_VERSION')).toMatch(/^[0-9a-f]{40}$/);
    expect(seen.get('REQUEST_ID')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('shows the build at /app, in a BUILD_DIR that needs no links, with a writable HOME beside it', async () => {
    const staged = await rig.stage({ buildpacks: ['heroku-env-dir'] });
    success(staged);
    expect(await staged.read('app/build-dir.txt')).toBe('/app\n');
    expect(await staged.read('app/.heroku/marker')).toBe('visible\n');
    expect(await staged.read('app/home.txt')).toBe('/home/vcap\n');
    expect(await staged.read('app/.writable')).toBeUndefined();
  });

  it('runs bin/report after success and failure and ignores what comes of it', async () => {
    success(await rig.stage({ buildpacks: ['heroku-env-dir'] }));
    const failed = await rig.stage({ buildpacks: ['heroku-fails'] });
    expect(failed.outcome).toMatchObject({ kind: 'failed', error: { code: 'COMPILE_FAILED', exit: 223 } });
    expect(await failed.read('app/reported')).toBe('reported\n');
  });

  it('#63 starts in the root of the buildpack, so that relative paths work', async () => {
    const staged = await rig.stage({ buildpacks: ['heroku-relative'] });
    success(staged);
    expect(await staged.read('app/start-nginx')).toBe('started\n');
  });
});

describe('export', () => {
  it('#51 is seen by compile of the next buildpack and not by release of its own', async () => {
    const staged = await rig.stage({ buildpacks: ['heroku-exports', 'heroku-sees-export'] });
    expect(success(staged).result.process_types).toEqual({ first: 'none' });
    expect(await staged.read('app/exported.txt')).toBe('two\nlines');
    expect(await staged.read('app/path.txt')).toBe('/app/.tool:/usr/local/bin:/usr/bin:/bin');
  });

  it('#51 left by another build in the directory of a buildpack is not used', async () => {
    const directory = join(FIXTURES, 'heroku-ruby');
    const copy = join(await mkdtemp(join(rig.root, 'stale-')), 'stale');
    await cp(directory, copy, { recursive: true });
    await writeFile(join(copy, 'export'), 'export EXPORTED=stale\n');
    const staged = await rig.stage({ buildpacks: [copy, 'heroku-sees-export'], api: 'heroku' });
    success(staged);
    expect(await staged.read('app/exported.txt')).toBe('nothing');
  });
});

describe('release', () => {
  it.each(['nothing', 'dashes', 'braces', 'addons'])(
    '#52 that prints %s means no process types',
    async (what) => {
      const staged = await rig.stage({ buildpacks: [`heroku-release-${what}`] });
      const { result, addons } = success(staged);
      expect(result.process_types).toEqual({});
      expect(addons).toEqual(what === 'addons' ? ['redis'] : []);
    },
  );

  it('#59 fills in what the Procfile leaves out', async () => {
    const staged = await rig.stage({ buildpacks: ['heroku-env-dir'], app: { Procfile: 'web: mine' } });
    expect(success(staged).result.process_types).toEqual({ web: 'mine', worker: 'heroku worker' });
  });

  it('reads config_vars and addons, and makes config_vars defaults of the running app', async () => {
    const staged = await rig.stage({ buildpacks: ['heroku-env-dir'] });
    expect(success(staged)).toMatchObject({
      configVars: { DEFAULTED: "it's a default" },
      addons: ['postgresql'],
    });
    expect(await staged.read('app/.profile.d/00_config_vars.sh')).toBe(
      `[ -n "\${DEFAULTED+set}" ] || export DEFAULTED='it'\\''s a default'\n`,
    );
  });

  it('#58 survives a Procfile with comments, blank lines and the marks of a merge conflict', async () => {
    const Procfile =
      '# comment\n\n<<<<<<< HEAD\nweb: one: two\n=======\nworker: go\n>>>>>>> other\nbad line\n';
    const staged = await rig.stage({ buildpacks: ['heroku-release-nothing'], app: { Procfile } });
    expect(success(staged).result.process_types).toEqual({ web: 'one: two', worker: 'go' });
  });
});

describe('several buildpacks', () => {
  it('#62 compile one after another, and the last release with process types wins', async () => {
    const buildpacks = ['heroku-ruby', 'heroku-node', 'heroku-python', 'heroku-release-nothing'];
    const staged = await rig.stage({ buildpacks, api: 'heroku' });
    expect(success(staged).result.process_types).toEqual({ web: 'python' });
    expect(await staged.read('app/compiled.txt')).toBe('ruby\nnode\npython\n');
  });

  it('end with one that serves both families, such as the procfile that ships', async () => {
    const staged = await rig.stage({
      buildpacks: ['heroku-ruby', PROCFILE],
      app: { Procfile: 'web: mine: quoted or not\nworker: go' },
    });
    expect(success(staged).result.process_types).toEqual({ web: 'mine: quoted or not', worker: 'go' });
    expect(success(staged).buildpacks.map(({ family }) => family)).toEqual(['heroku', 'heroku']);
    const other = await rig.stage({
      buildpacks: ['always-detects', PROCFILE],
      app: { Procfile: 'web: mine' },
    });
    expect(success(other).buildpacks.map(({ family }) => family)).toEqual(['cf-v3', 'cf-v3']);
  });

  it('of two families are refused by name unless one is chosen for all', async () => {
    const buildpacks = ['heroku-ruby', 'has-finalize'];
    const mixed = await rig.stage({ buildpacks });
    expect(mixed.outcome).toMatchObject({ kind: 'failed', error: { code: 'USAGE' } });
    const forced = await rig.stage({ buildpacks: ['has-finalize', 'heroku-exports'], api: 'cf' });
    expect(forced.outcome).toMatchObject({ kind: 'failed', error: { code: 'COMPILE_FAILED' } });
    const settled = await rig.stage({
      buildpacks: ['also-always-detects'],
      stack: 'heroku-24',
    });
    expect(await settled.read('app/compiled')).toBe('compiled with 3 arguments\n');
  });
});

describe('detect', () => {
  it('#56 says that nothing fits', async () => {
    const staged = await rig.stage({ mode: 'detect', buildpacks: ['always-fails-detect'], api: 'heroku' });
    expect(staged.outcome).toMatchObject({ kind: 'failed', error: { code: 'NO_APP_DETECTED', exit: 222 } });
  });

  it('#57 uses the first of several that fit', async () => {
    const staged = await rig.stage({
      mode: 'detect',
      buildpacks: ['heroku-ruby', 'heroku-node'],
      api: 'heroku',
    });
    expect(success(staged).result.lifecycle_metadata.detected_buildpack).toBe('ruby');
  });
});

describe('family', () => {
  it('#64 of a buildpack.toml without api is Heroku, not cloud native', async () => {
    const staged = await rig.stage({ buildpacks: ['heroku-registry-toml'] });
    expect(success(staged).buildpacks[0]?.family).toBe('heroku');
    expect(await staged.read('app/compiled')).toBe('3 arguments\n');
  });

  it('#65 of a repository with only a README is malformed', async () => {
    await expect(rig.stage({ buildpacks: ['readme-only'] })).rejects.toMatchObject({
      code: 'BUILDPACK_MALFORMED',
      message: expect.stringContaining('README.md'),
    });
  });

  it('cloud native is refused with a sentence', async () => {
    await expect(rig.stage({ buildpacks: ['cloud-native'] })).rejects.toMatchObject({
      code: 'BUILDPACK_MALFORMED',
      message: expect.stringContaining(
        'is a cloud native buildpack, and those of Cloud Foundry and Heroku were asked for',
      ),
    });
  });
});
