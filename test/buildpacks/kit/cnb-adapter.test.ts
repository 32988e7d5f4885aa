import { execFile, execFileSync } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'smol-toml';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { billOf, purlOf } from '../../../buildpacks/kit/cnb/bill.ts';
import { cfEnvironment } from '../../../buildpacks/kit/cnb/cf-env.ts';
import { writeEnvironment } from '../../../buildpacks/kit/cnb/layers.ts';
import {
  launchToml,
  merged,
  ofLaunchYml,
  ofProcfile,
  ofRelease,
} from '../../../buildpacks/kit/cnb/processes.ts';
import { APP_ENTRY, roleOf } from '../../../buildpacks/kit/cnb/role.ts';
import { shareApp } from '../../../buildpacks/kit/cnb/share-app.ts';
import { afterBuild, planFor, readPlan, resolvePlan } from '../../../src/staging/cnb/cnb-plan.ts';
import { plansOf } from '../../../src/workshop/cnb-parts.ts';
import { fill } from '../../workshop/tree.ts';

let temp: DirectoryResult;
beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
});
afterEach(() => temp.cleanup());

/** What each buildpack learns, in a group of these: `name` or `name supplies`. */
function roles(
  ...group: readonly string[]
): Record<string, { isFinal: boolean; handsOn: boolean }> | undefined {
  const passed = group.map((one) => {
    const [name = '', supplies] = one.split(' ');
    const read = readPlan(
      stringify(plansOf({ id: `x/${name}`, name })[supplies === undefined ? 'app' : 'supply']),
    );
    return { who: name, optional: false, sections: read.ok ? read.sections : [] };
  });
  const plan = resolvePlan(passed);
  if (plan === undefined) return undefined;
  let { entries } = plan;
  return Object.fromEntries(
    plan.group.map((who) => {
      const own = planFor(entries, who).flatMap(({ name, requires }) =>
        requires.map(({ metadata }) => ({ name, metadata })),
      );
      const role = roleOf({ entries: own }, `x/${who}`);
      entries = afterBuild(entries, who, role.handsOn ? [APP_ENTRY] : []);
      return [who, role];
    }),
  );
}

const SUPPLIES = { isFinal: false, handsOn: true };
const FINALIZES = { isFinal: true, handsOn: false };

describe('the build plan', () => {
  it('lets the last one that has the app finalize, and the others supply', () => {
    expect(roles('one')).toEqual({ one: FINALIZES });
    expect(roles('one', 'two', 'three')).toEqual({ one: SUPPLIES, two: SUPPLIES, three: FINALIZES });
    expect(roles('one supplies', 'two')).toEqual({ one: SUPPLIES, two: FINALIZES });
  });

  it('fits with one that only supplies, where buildpacks of others have the app', () => {
    expect(roles('one supplies')).toEqual({ one: { isFinal: false, handsOn: false } });
  });
});

describe('detect', () => {
  async function detect(name: string, env: Readonly<Record<string, string>>, files = ['yes']) {
    const root = join(temp.path, name);
    const app = join(temp.path, 'app');
    await rm(app, { recursive: true, force: true });
    await fill(root, {
      'cf/bin/detect': '#!/bin/sh\nls "$1"; [ -f "$1/yes" ]\n',
      'plan/name': `${name}\n`,
      'plan/app.toml': 'app',
      'plan/supply.toml': 'supply',
    });
    await fill(app, Object.fromEntries(files.map((file) => [file, ''])));
    const plan = join(temp.path, 'plan');
    await writeFile(plan, '');
    const script = join(import.meta.dirname, '../../../buildpacks/kit/cnb/detect.sh');
    const { CNB_BUILD_PLAN_PATH: _, ...rest } = process.env;
    const ended = await promisify(execFile)(script, [temp.path, plan], {
      cwd: app,
      env: { ...rest, CNB_BUILDPACK_DIR: root, ...env },
    }).then(
      () => 0,
      (error: { code: number }) => error.code,
    );
    return `${ended} ${await readFile(plan, 'utf8')}`;
  }

  it('asks the buildpack for Cloud Foundry, whose no is 100', async () => {
    expect(await detect('go', {})).toBe('0 app');
    expect(await detect('go', {}, ['no'])).toBe('100 ');
  });

  it('asks nobody where buildpacks are named, and gives the app to the last', async () => {
    const named = { STAGER_BUILDPACKS: 'go,nodejs' };
    expect(await detect('go', named, ['no'])).toBe('0 supply');
    expect(await detect('nodejs', named, ['no'])).toBe('0 app');
    expect(await detect('ruby', named)).toBe('100 ');
  });
});

describe('processes', () => {
  it('are those of launch.yml or of release, and the Procfile wins', () => {
    const launch =
      'processes:\n- type: web\n  command: a\n- type: side\n  command: b\n  platforms: {cloudfoundry: {sidecar_for: [web]}}\n';
    expect(ofLaunchYml(launch)).toEqual([
      { type: 'web', command: 'a' },
      { type: 'side', command: 'b', sidecarFor: ['web'] },
    ]);
    expect(ofRelease('---\n{}\n')).toEqual([]);
    const all = merged(
      ofRelease('default_process_types: {web: a, worker: b}\n'),
      ofProcfile('web: c d \r\n\n# no\n'),
    );
    expect(all).toEqual([
      { type: 'web', command: 'c d' },
      { type: 'worker', command: 'b' },
    ]);
  });

  it('are run by the program that knows the home, and web is the default', () => {
    const processes = [
      { type: 'web', command: 'a "b"' },
      { type: 'worker', command: 'c' },
    ];
    expect(launchToml(processes, { start: '/l/start', slices: ['node_modules'] })).toEqual({
      processes: [
        { type: 'web', command: ['/l/start', 'a "b"'], default: true },
        { type: 'worker', command: ['/l/start', 'c'] },
      ],
      slices: [{ paths: ['node_modules'] }],
    });
  });
});

describe('the environment', () => {
  it('of layers has what Cloud Foundry shows of deps, for the build and for the launch', async () => {
    const dir = temp.path;
    await fill(join(dir, 'deps/1'), {
      'bin/x': '',
      'lib/x': '',
      'include/x': '',
      'env/HOME_OF_X': 'value\n',
    });
    await writeEnvironment({ root: dir, idx: '1' }, { isFinal: true });
    const text = (path: string) => readFile(join(dir, path), 'utf8');
    expect(await text('env.build/PATH.prepend')).toBe(`${dir}/deps/1/bin`);
    expect(await text('env.build/LIBRARY_PATH.prepend')).toBe(`${dir}/deps/1/lib`);
    expect(await text('env.build/CPATH.delim')).toBe(':');
    expect(await text('env.build/HOME_OF_X.override')).toBe('value\n');
    expect(await text('env.build/STAGER_DEPS.append')).toBe(`${dir}/deps/1`);
    expect(await text('env.launch/LD_LIBRARY_PATH.prepend')).toBe(`${dir}/deps/1/lib`);
    expect(await text('env.launch/DEPS_DIR.override')).toBe(`${dir}/deps`);
    expect(await text('env.launch/PORT.default')).toBe('8080');
    await expect(text('env.launch/CPATH.prepend')).rejects.toThrow('ENOENT');
    await expect(text('env.launch/HOME_OF_X.override')).rejects.toThrow('ENOENT');
  });

  it('of scripts names the stack by its distribution, and keeps what is given', async () => {
    const jammy = { CNB_TARGET_DISTRO_NAME: 'ubuntu', CNB_TARGET_DISTRO_VERSION: '22.04' };
    expect(await cfEnvironment(jammy, '/none')).toEqual({ ...jammy, CF_STACK: 'cflinuxfs4' });
    expect(await cfEnvironment({ ...jammy, CF_STACK: 'own' }, '/none')).toMatchObject({ CF_STACK: 'own' });
    expect(await cfEnvironment({ CNB_STACK_ID: 'a.b' }, '/none')).toMatchObject({ CF_STACK: 'a.b' });
    expect(await cfEnvironment({ SSL_CERT_FILE: 'own' }, temp.path)).toMatchObject({
      SSL_CERT_FILE: 'own',
      NODE_EXTRA_CA_CERTS: temp.path,
    });
  });
});

describe('the launch', () => {
  async function script(name: string, facts: Readonly<Record<string, string>>): Promise<string> {
    const text = await readFile(join(import.meta.dirname, '../../../buildpacks/kit/cnb', name), 'utf8');
    const path = join(temp.path, name);
    await writeFile(
      path,
      text.replace(/@([A-Z]+)@/g, (_, fact: string) => `'${facts[fact]}'`),
      { mode: 0o755 },
    );
    return path;
  }

  /** What the launcher would read on descriptor 3. */
  async function told(final: 'yes' | 'no', files: Readonly<Record<string, string>>): Promise<string> {
    await mkdir(join(temp.path, 'app'));
    await fill(temp.path, files);
    const facts = {
      APP: join(temp.path, 'app'),
      DEPS: join(temp.path, 'deps'),
      PROFILE: join(temp.path, 'profile'),
      IDX: '0',
      FINAL: final,
    };
    const path = await script('profile.sh', facts);
    return execFileSync('bash', ['-c', `${path} 3>&1 >/dev/null`], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: '/home/of-launcher', KEPT: 'kept' },
    });
  }

  it('gets the variables that profile scripts change, from the directory of the app', async () => {
    const text = await told('yes', {
      'deps/0/profile.d/a.sh': 'export A="$HOME" KEPT=kept; B=not-exported; echo said\n',
      'profile/b.sh': 'export C="$A/c"\n',
      'app/.profile.d/c.sh': 'export D="$PWD"\n',
      'app/.profile': 'export KEPT=changed\n',
    });
    const app = join(temp.path, 'app');
    expect(text.split('\n').sort()).toEqual(
      ['', `A = "${app}"`, `C = "${app}/c"`, `D = "${app}"`, 'KEPT = "changed"'].sort(),
    );
  });

  it('leaves the scripts of the app to the buildpack that finalizes', async () => {
    expect(await told('no', { 'app/.profile': 'export A=1\n' })).toBe('');
  });

  it('can read every value', async () => {
    const text = await told('no', { 'deps/0/profile.d/a.sh': `export A=$'q"\\\\b\\n\\t\\x01 & ü $x'\n` });
    expect(text).toBe('A = "q\\"\\\\b\\u000a\\u0009\\u0001 & ü $x"\n');
  });

  it('does not wait for what a script leaves running', async () => {
    const text = await told('no', { 'deps/0/profile.d/a.sh': 'sleep 300 >/dev/null 2>&1 & export A=$!\n' });
    const [, pid = ''] = /^A = "(\d+)"$/m.exec(text) ?? [];
    process.kill(Number(pid));
  });

  it('starts commands with the home of Cloud Foundry, and hands on arguments', async () => {
    const path = await script('start.sh', { APP: '/the/app' });
    const said = execFileSync(path, ['echo "$HOME" "$1"', 'more'], { encoding: 'utf8' });
    expect(said).toBe('/the/app more\n');
  });
});

describe('the app', () => {
  it('is for its group what it is for its owner, and links are left alone', async () => {
    await fill(temp.path, { 'app/a/file': '', 'app/a/script': '#!/bin/sh\n', 'other/file': '' });
    const at = (path: string): string => join(temp.path, path);
    await chmod(at('other/file'), 0o600);
    await symlink(at('other/file'), at('app/link'));
    await chmod(at('app/a'), 0o700);
    expect(shareApp(at('app'))).toBe(true);
    const modes = ['app/a', 'app/a/file', 'app/a/script', 'other/file'].map(
      (path) => lstatSync(at(path)).mode & 0o777,
    );
    expect(modes).toEqual([0o770, 0o664, 0o775, 0o600]);
  });

  it('may hold what belongs to others', () => {
    // Nobody may change the mode of it.
    expect(shareApp('/proc/self/mem')).toBe(false);
  });
});

describe('the bill of materials', () => {
  it.each([
    ['npm:@scope/a@1.0.0', 'pkg:npm/%40scope/a@1.0.0'],
    ['npm:a@1.0.0', 'pkg:npm/a@1.0.0'],
    ['pypi:Some_Thing@2.0/some.whl', 'pkg:pypi/some-thing@2.0'],
    ['goproxy:golang.org/toolchain@v0.0.1-go1.26', 'pkg:golang/golang.org/toolchain@v0.0.1-go1.26'],
    ['maven:org.x:y:1.2', 'pkg:maven/org.x/y@1.2?type=jar'],
    ['maven:org.x:y:1.2:bin@zip', 'pkg:maven/org.x/y@1.2?classifier=bin&type=zip'],
    [
      'debian:pool/n/nginx/nginx_1.22.1-9+deb12u2_amd64.deb',
      'pkg:deb/debian/nginx@1.22.1-9%2Bdeb12u2?arch=amd64',
    ],
    ['https://h/x.tgz', 'pkg:generic/name@1?download_url=https%3A%2F%2Fh%2Fx.tgz'],
  ])('calls %s %s', (uri, purl) => {
    expect(purlOf({ name: 'name', version: '1', uri })).toBe(purl);
  });

  it('lists each thing once, with its checksum', () => {
    const one = { name: 'a', version: '1', uri: 'npm:a@1', checksum: 'sha512:00ff' };
    expect(JSON.parse(billOf({ id: 'x/y', version: '1.0.0' }, [one, one]))).toMatchObject({
      bomFormat: 'CycloneDX',
      components: [
        { name: 'a', version: '1', purl: 'pkg:npm/a@1', hashes: [{ alg: 'SHA-512', content: '00ff' }] },
      ],
    });
  });
});
