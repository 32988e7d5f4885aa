/** Cloud Foundry cases of buildpack-contracts.md 7.1; the number of a case is in its name. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyHash } from '../../src/buildpack/key-hash.ts';
import type { Selection } from '../../src/sandbox/select.ts';
import { BuildpackRig, FIXTURES, type Staged } from '../support/buildpack-rig.ts';
import { openTestSandbox } from '../support/open-sandbox.ts';

let opened: Selection;
let rig: BuildpackRig;
beforeAll(async () => {
  opened = await openTestSandbox();
  rig = await BuildpackRig.open(() => opened.sandbox);
});
afterAll(async () => {
  await rig.close();
  await opened.close();
});

function success(staged: Staged) {
  if (staged.outcome.kind !== 'staged') throw staged.outcome.error;
  return staged.outcome;
}

function failure(staged: Staged) {
  if (staged.outcome.kind !== 'failed') throw new Error('it was staged');
  return staged.outcome;
}

const names = (staged: Staged) => success(staged).result.lifecycle_metadata.buildpacks.map((it) => it.name);
const hashOf = (fixture: string) => keyHash(join(FIXTURES, fixture));

describe('detect', () => {
  it('#1 takes the first buildpack that says yes, and its output is the name', async () => {
    const staged = await rig.stage({ mode: 'detect', buildpacks: ['always-fails-detect', 'always-detects'] });
    const { result, stagingInfo, tries } = success(staged);
    expect(result.lifecycle_metadata).toMatchObject({
      buildpack_key: 'always-detects',
      detected_buildpack: 'Always Matching',
    });
    expect(JSON.parse(stagingInfo)).toEqual({
      detected_buildpack: 'Always Matching',
      start_command: 'the start command',
    });
    expect(tries).toMatchObject([
      { buildpack: 'always-fails-detect', outcome: 'exit 1', exitStatus: 1, firstLine: 'not for me' },
      { buildpack: 'always-detects', outcome: 'exit 0', exitStatus: 0, firstLine: 'Always Matching' },
    ]);
  });

  it('#2 warns about a detect that is not executable and goes on to the next', async () => {
    const staged = await rig.stage({
      mode: 'detect',
      buildpacks: ['detect-not-executable', 'always-detects'],
    });
    expect(names(staged)).toEqual(['Always Matching']);
    expect(staged.events).toContainEqual(
      expect.objectContaining({ type: 'warning', code: 'detect-not-executable' }),
    );
    expect(success(staged).tries?.[0]?.outcome).toMatch(/^not started: /);
  });

  it('#3 fails with 222 and a table when every buildpack refuses', async () => {
    const staged = await rig.stage({
      mode: 'detect',
      buildpacks: ['always-fails-detect', 'detect-not-executable'],
    });
    const { error, result } = failure(staged);
    expect(error).toMatchObject({ code: 'NO_APP_DETECTED', exit: 222 });
    expect(error.message).toContain('None of the buildpacks detected a compatible application');
    expect(error.details['tries']).toHaveLength(2);
    expect(result).toBeUndefined();
  });

  it('#4 does not ask a buildpack that was named explicitly', async () => {
    const staged = await rig.stage({ buildpacks: ['always-fails-detect'] });
    expect(names(staged)).toEqual(['']);
    expect(staged.output).not.toContain('not for me');
    expect(await staged.read('app/compiled')).toBe('compiled\n');
  });
});

describe('one buildpack', () => {
  it('#5 compiles into the app and leaves no deps', async () => {
    const staged = await rig.stage({ buildpacks: ['also-always-detects'] });
    expect(await staged.read('app/compiled')).toBe('compiled with 2 arguments\n');
    expect(success(staged).result.process_types).toEqual({ web: 'the start command' });
    expect(await readdir(staged.workspace.deps)).toEqual([]);
  });

  it('#6 supplies and finalizes, never compiles, and profile scripts land beside the app', async () => {
    const staged = await rig.stage({ buildpacks: ['has-finalize'] });
    success(staged);
    expect(await staged.read('app/finalized')).toBe('finalized with 5 arguments, index 0\n');
    expect(await staged.read('contents/deps/0/supplied')).toBe('supplied by has-finalize\n');
    expect(await staged.read('contents/profile.d/finalized.sh')).toBe('export FINALIZED=yes\n');
    expect(await staged.read('app/compiled')).toBeUndefined();
    expect(await staged.read('app/.profile.d/finalized.sh')).toBeUndefined();
  });

  it('#8 says nothing about finalize when a compile buildpack is alone', async () => {
    const staged = await rig.stage({ buildpacks: ['also-always-detects'] });
    expect(success(staged).warnings).toEqual([]);
  });
});

describe('several buildpacks', () => {
  it('#7 warns when the last has no finalize, removes its deps and passes compile two arguments', async () => {
    const staged = await rig.stage({ buildpacks: ['always-detects', 'also-always-detects'] });
    expect(success(staged).warnings).toEqual([expect.stringContaining('has no bin/finalize')]);
    expect(await readdir(staged.workspace.deps)).toEqual(['0']);
    expect(await staged.read('contents/deps/0/supplied')).toBe('supplied by always-detects\n');
    expect(await staged.read('app/compiled')).toBe('compiled with 2 arguments\n');
  });

  it('#9 supplies two and finalizes the third, with the metadata of all', async () => {
    const staged = await rig.stage({
      buildpacks: ['always-detects', 'creates-build-artifacts', 'has-finalize'],
    });
    expect(names(staged)).toEqual(['', 'Creates Build Artifacts', '']);
    expect(await readdir(staged.workspace.deps)).toEqual(['0', '1', '2']);
    expect(await staged.read('app/finalized')).toBe('finalized with 5 arguments, index 2\n');
    expect(await staged.read('app/neighbours')).toBe('0\n1\n2\n');
  });

  it('#10 finalizes a last buildpack that has no supply', async () => {
    const staged = await rig.stage({
      buildpacks: ['always-detects', 'always-detects', 'has-finalize-no-supply'],
    });
    success(staged);
    expect(await staged.read('app/finalized')).toBe('finalized\n');
    expect(await staged.read('contents/deps/2/supplied')).toBeUndefined();
  });

  it('#11 refuses a buildpack without supply before the last, before any script has run', async () => {
    const staged = await rig.stage({ buildpacks: ['always-detects', 'also-always-detects', 'has-finalize'] });
    const { error, result } = failure(staged);
    expect(error).toMatchObject({ code: 'SUPPLY_FAILED', exit: 225 });
    expect(error.message).toContain('also-always-detects does not support multi-buildpack apps');
    expect(result).toBeUndefined();
    expect(await staged.read('contents/deps/0/supplied')).toBeUndefined();
  });

  it('#12 ends with 225 and without a result when a supply before the last fails', async () => {
    const staged = await rig.stage({ buildpacks: ['fails-to-supply', 'has-finalize'] });
    const { error, result } = failure(staged);
    expect(error).toMatchObject({ code: 'SUPPLY_FAILED', exit: 225, phase: 'supply[0] fails-to-supply' });
    expect(error.details['exitStatus']).toBe(7);
    expect(staged.output).toContain('supply says why');
    expect(result).toBeUndefined();
  });

  it('#39 pads the index of ten buildpacks in directories and arguments', async () => {
    const order = [...Array.from({ length: 9 }, () => 'always-detects'), 'has-finalize'];
    const staged = await rig.stage({ buildpacks: order });
    success(staged);
    expect(await readdir(staged.workspace.deps)).toEqual([
      '00',
      '01',
      '02',
      '03',
      '04',
      '05',
      '06',
      '07',
      '08',
      '09',
    ]);
    expect(await staged.read('app/finalized')).toBe('finalized with 5 arguments, index 09\n');
  });

  it('#46 shows env files of all earlier buildpacks to a later supply', async () => {
    const staged = await rig.stage({ buildpacks: ['env-files', 'env-files', 'reads-env-files'] });
    success(staged);
    expect(await staged.read('app/foo.txt')).toBe('from index 0');
    expect(await staged.read('app/bins.txt')).toBe('/tmp/contents/deps/0/bin\n/tmp/contents/deps/1/bin\n');
  });

  it('#48 lets a later buildpack run a package that an earlier one installed', async () => {
    const staged = await rig.stage({ buildpacks: ['supplies-packages', 'uses-packages'] });
    success(staged);
    expect(await staged.read('app/packaged.txt')).toBe('from the package\n');
  });
});

describe('failures', () => {
  it('#13 ends with 223 when compile fails', async () => {
    const { error } = failure(await rig.stage({ buildpacks: ['fails-to-compile'] }));
    expect(error).toMatchObject({ code: 'COMPILE_FAILED', exit: 223, phase: 'compile[0] fails-to-compile' });
  });

  it('#14 ends with 224 when release fails, even with a web in the Procfile', async () => {
    const { error } = failure(
      await rig.stage({ buildpacks: ['fails-to-release'], app: { Procfile: 'web: x' } }),
    );
    expect(error).toMatchObject({ code: 'RELEASE_FAILED', exit: 224 });
  });

  it.each(['release-bad-yaml', 'release-command-list'])(
    '#15 ends with 224 when release prints nonsense: %s',
    async (name) => {
      const { error } = failure(await rig.stage({ buildpacks: [name] }));
      expect(error).toMatchObject({ code: 'RELEASE_FAILED', exit: 224 });
      expect(error.message).toContain('release output invalid');
    },
  );

  it('#21 ends with 1 when the Procfile is no YAML', async () => {
    const staged = await rig.stage({ buildpacks: ['also-always-detects'], app: { Procfile: '[' } });
    const { error, result } = failure(staged);
    expect(error).toMatchObject({ code: 'PROCFILE_INVALID', exit: 1 });
    expect(error.message).toMatch(/Procfile: invalid YAML/);
    expect(result?.process_types).toBeNull();
  });

  it.each([1, 2])('#35 keeps the metadata of %i buildpacks when finalize fails', async (count) => {
    const buildpacks = ['creates-build-artifacts', 'fails-to-finalize'].slice(2 - count);
    const { error, result } = failure(await rig.stage({ buildpacks }));
    expect(error).toMatchObject({
      code: 'COMPILE_FAILED',
      exit: 223,
      phase: `finalize[${count - 1}] fails-to-finalize`,
    });
    expect(result?.process_types).toBeNull();
    expect(result?.lifecycle_metadata.buildpacks).toHaveLength(count);
    expect(result?.lifecycle_metadata.buildpacks.at(-1)).toMatchObject({
      name: 'fails-to-finalize',
      version: '2.0',
      config: { entrypoint_prefix: 'prefix' },
    });
  });

  it('fails with 1 when launch.yml is no YAML', async () => {
    const { error } = failure(await rig.stage({ buildpacks: ['broken-launch-yml'] }));
    expect(error).toMatchObject({ code: 'LAUNCH_YML_INVALID', exit: 1 });
  });
});

describe('process types', () => {
  const NO_WEB = [
    'No start command specified by buildpack or via Procfile.',
    'App will not start unless a command is provided at runtime.',
  ];
  const stderr = (staged: Staged) =>
    staged.events.flatMap((it) => (it.type === 'output' && it.stream === 'stderr' ? [it.text] : []));

  it('#16 says in two lines on stderr that nothing will start, and succeeds', async () => {
    const staged = await rig.stage({ buildpacks: ['release-without-command'] });
    expect(success(staged).result).toMatchObject({ process_types: {}, processes: null });
    expect(stderr(staged)).toEqual(NO_WEB);
  });

  it('#17 says so as well when the Procfile has no web', async () => {
    const staged = await rig.stage({
      buildpacks: ['release-without-command'],
      app: { Procfile: 'worker: go' },
    });
    expect(success(staged).result.process_types).toEqual({ worker: 'go' });
    expect(stderr(staged)).toEqual(NO_WEB);
  });

  it('#18 takes web from the Procfile', async () => {
    const staged = await rig.stage({ buildpacks: ['release-without-command'], app: { Procfile: 'web: go' } });
    expect(success(staged).result.process_types).toEqual({ web: 'go' });
    expect(stderr(staged)).toEqual([]);
  });

  it('#19 keeps web of the buildpack beside others of the Procfile', async () => {
    const staged = await rig.stage({
      buildpacks: ['also-always-detects'],
      app: { Procfile: 'spider: crawl' },
    });
    expect(success(staged).result.process_types).toEqual({ web: 'the start command', spider: 'crawl' });
  });

  it('#20 lets the Procfile win over the buildpack', async () => {
    const staged = await rig.stage({ buildpacks: ['also-always-detects'], app: { Procfile: 'web: mine' } });
    expect(success(staged).result.process_types).toEqual({ web: 'mine' });
    expect(JSON.parse(success(staged).stagingInfo)).toMatchObject({ start_command: 'mine' });
  });

  it('#31 merges launch.yml of a supply under the release of the last', async () => {
    const staged = await rig.stage({ buildpacks: ['supplies-launch-yml', 'has-finalize'] });
    expect(success(staged).result.process_types).toEqual({
      web: 'the start command',
      worker: 'supplied worker',
    });
  });

  it('#32 does not call release when the last has a launch.yml', async () => {
    const staged = await rig.stage({ buildpacks: ['supplies-launch-yml', 'final-launch-yml'] });
    expect(success(staged).result.process_types).toEqual({ web: 'final web', worker: 'supplied worker' });
    expect(await staged.read('app/release-ran')).toBeUndefined();
  });

  it('reads launch.yml of a detected buildpack among several candidates, and of ten buildpacks', async () => {
    const detected = await rig.stage({
      mode: 'detect',
      buildpacks: ['always-fails-detect', 'final-launch-yml'],
    });
    expect(success(detected).result.process_types).toEqual({ web: 'final web' });
    const order = [
      'supplies-launch-yml',
      ...Array.from({ length: 8 }, () => 'always-detects'),
      'final-launch-yml',
    ];
    const ten = await rig.stage({ buildpacks: order });
    expect(success(ten).result.process_types).toEqual({ web: 'final web', worker: 'supplied worker' });
  });

  it('#33 makes a sidecar of a process that is one', async () => {
    const { result } = success(await rig.stage({ buildpacks: ['sidecar-launch-yml'] }));
    expect(result.processes).toEqual([{ type: 'web', command: './run' }]);
    expect(result.sidecars).toEqual([
      { name: 'agent', process_types: ['web', 'worker'], command: './agent', memory: 64 },
    ]);
  });

  it('#34 lets the Procfile win over launch.yml, and a line replace a sidecar', async () => {
    const app = { Procfile: 'web: mine\nagent: now a process' };
    const { result } = success(await rig.stage({ buildpacks: ['sidecar-launch-yml'], app }));
    expect(result.process_types).toEqual({ web: 'mine', agent: 'now a process' });
    expect(result.sidecars).toBeUndefined();
  });
});

describe('metadata', () => {
  it('#22 takes name, version and output from config.yml and ignores the rest', async () => {
    const { result } = success(await rig.stage({ buildpacks: ['creates-build-artifacts', 'has-finalize'] }));
    expect(result.lifecycle_metadata.buildpacks[0]).toEqual({
      key: join(FIXTURES, 'creates-build-artifacts'),
      name: 'Creates Build Artifacts',
      version: '9.1.3',
      output_metadata: { build: 7 },
    });
  });

  it('#23 puts the entrypoint prefix into staging_info.yml', async () => {
    const { stagingInfo } = success(await rig.stage({ buildpacks: ['has-buildpack-config'] }));
    expect(JSON.parse(stagingInfo)).toEqual({
      detected_buildpack: 'has-config',
      start_command: 'the start command',
      config: { entrypoint_prefix: '/usr/bin/wrap' },
    });
  });
});

describe('cache', () => {
  it('#24 gives the last buildpack `final` and every other one the hash of its key', async () => {
    const staged = await rig.stage({ buildpacks: ['always-detects', 'also-always-detects'] });
    success(staged);
    expect(await staged.read('cache/final')).toBeUndefined();
    expect((await readdir(staged.workspace.cache)).sort()).toEqual(
      ['final', await hashOf('always-detects')].sort(),
    );
    expect(await staged.read(`cache/${await hashOf('always-detects')}/supplied`)).toBe('seen\n');
    expect(await staged.read('cache/final/always-detects')).toBeUndefined();
  });

  it('#25 keeps what this order needs and removes all else before the scripts run', async () => {
    const wanted = await hashOf('creates-build-artifacts');
    const staged = await rig.stage({
      buildpacks: ['creates-build-artifacts', 'also-always-detects'],
      cache: {
        'final/old': 'kept',
        [`${wanted}/old`]: 'kept',
        '0123456789abcdef/old': 'of a buildpack that is gone',
        'plain-file': 'of the time before',
      },
    });
    success(staged);
    expect((await readdir(staged.workspace.cache)).sort()).toEqual(['final', wanted].sort());
    expect(await staged.read('contents/deps/0/cache-listing')).toBe('old\n');
    expect(await staged.read('cache/final/old')).toBe('kept');
  });

  it('#45 downloads once when the cache comes back', async () => {
    const first = await rig.stage({ buildpacks: ['caches-download'] });
    const second = await rig.stage({
      buildpacks: ['caches-download'],
      cache: { 'final/dep': (await first.read('cache/final/dep')) ?? '' },
    });
    expect([first.output, second.output]).toEqual([
      expect.stringContaining('downloading'),
      expect.stringContaining('from the cache'),
    ]);
  });
});

describe('the buildpack itself', () => {
  it('#27 goes into one nested directory', async () => {
    const staged = await rig.stage({ buildpacks: ['nested', 'has-finalize'] });
    success(staged);
    expect(await staged.read('contents/deps/0/supplied')).toBe('supplied by always-detects\n');
  });

  it('#28 names a directory that holds two directories and no bin', async () => {
    await expect(rig.stage({ buildpacks: ['two-directories'] })).rejects.toMatchObject({
      code: 'BUILDPACK_MALFORMED',
      message: expect.stringMatching(/does not contain a \/bin dir: .*two-directories/),
    });
  });

  it('runs from a private writable copy, in its root, with nothing on stdin, as vcap', async () => {
    const staged = await rig.stage({ buildpacks: ['prints-env'] });
    success(staged);
    const root = `/tmp/buildpacks/${await hashOf('prints-env')}`;
    expect(await staged.read('app/pwd.txt')).toBe(`${root}\n`);
    expect(await staged.read('app/argv0.txt')).toBe(`${root}/bin/compile`);
    expect(await staged.read('app/stdin.txt')).toBe('0\n');
    expect(await staged.read('app/uid.txt')).toBe('2000\n');
    expect((await stat(join(staged.workspace.tmp, root.slice('/tmp/'.length)))).uid).toBe(
      opened.sandbox.owner.uid,
    );
  });
});

describe('environment', () => {
  const variables = async (staged: Staged) =>
    new Map(
      ((await staged.read('app/env.txt')) ?? '')
        .split('\0')
        .filter((it) => it !== '')
        .map((it): [string, string] => [it.slice(0, it.indexOf('=')), it.slice(it.indexOf('=') + 1)]),
    );
  const services = {
    other: [{ name: 'other', credentials: { uri: 'amqp://u:p@h/x' } }],
    db: [
      { name: 'db', credentials: { uri: 'postgresql://u:p@first/db' } },
      { name: 'db2', credentials: { uri: 'mysql://u:p@second/db' } },
    ],
  };

  it('#29 computes DATABASE_URL over the one of the app', async () => {
    const env = { appEnv: { DATABASE_URL: 'preset' }, services };
    const staged = await rig.stage({ buildpacks: ['prints-env'], env });
    success(staged);
    expect((await variables(staged)).get('DATABASE_URL')).toBe('postgres://u:p@first/db');
  });

  it('#30 keeps DATABASE_URL of the app when no service has a usable URI', async () => {
    const env = { appEnv: { DATABASE_URL: 'preset' }, services: { other: services.other } };
    const staged = await rig.stage({ buildpacks: ['prints-env'], env });
    expect((await variables(staged)).get('DATABASE_URL')).toBe('preset');
  });

  it('has exactly the variables of the contract and nothing of the caller', async () => {
    const staged = await rig.stage({ buildpacks: ['prints-env'], env: { appEnv: { MINE: 'a\nb' } } });
    const seen = await variables(staged);
    // What bash adds by itself.
    for (const name of ['_', 'SHLVL', 'OLDPWD']) seen.delete(name);
    expect([...seen.keys()].sort()).toEqual([
      'CF_INSTANCE_ADDR',
      'CF_INSTANCE_INTERNAL_IP',
      'CF_INSTANCE_IP',
      'CF_INSTANCE_PORT',
      'CF_INSTANCE_PORTS',
      'CF_STACK',
      'HOME',
      'LANG',
      'MEMORY_LIMIT',
      'MINE',
      'PATH',
      'PWD',
      'USER',
      'VCAP_APPLICATION',
      'VCAP_SERVICES',
    ]);
    expect(seen.get('MINE')).toBe('a\nb');
    expect(seen.get('HOME')).toBe('/home/vcap');
    expect(seen.get('MEMORY_LIMIT')).toBe('1024m');
  });
});

describe('directories', () => {
  it('#47 renames between app, deps, HOME and TMPDIR', async () => {
    const staged = await rig.stage({ buildpacks: ['renames'] });
    success(staged);
    expect(await staged.read('contents/deps/0/node_modules/x')).toBe('1\n');
  });

  it('shares /tmp between the scripts of a staging and with no other', async () => {
    const staged = await rig.stage({ buildpacks: ['shares-tmp'] });
    expect(success(staged).result.process_types).toEqual({ web: 'from tmp' });
    const other = await rig.stage({ buildpacks: ['prints-env'] });
    expect(await other.read('shared-release-step.yml')).toBeUndefined();
  });
});
