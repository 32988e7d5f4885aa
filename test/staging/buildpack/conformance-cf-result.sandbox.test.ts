/** Cloud Foundry cases of buildpack-contracts.md 7.1: failures, process types and metadata. The number of a case is in its name. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIXTURES, type Staged } from '../../support/buildpack-rig.ts';
import { conformanceRig, failure, success } from '../../support/conformance.ts';

const rig = conformanceRig();

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

  it('#21 ends with 1 when the Procfile is not YAML', async () => {
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

  it('fails with 1 when launch.yml is not YAML', async () => {
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

  it.each([
    [{ Procfile: 'web:\nworker: go' }, 'process type web has no command'],
    [{ procfile: 'web: go' }, 'procfile is ignored: the file has to be called Procfile'],
    [{ 'Procfile.txt': 'web: go' }, 'Procfile.txt is ignored: the file has to be called Procfile'],
  ])('warns of %o', async (app, message) => {
    const staged = await rig.stage({ buildpacks: ['release-without-command'], app });
    expect(staged.events).toContainEqual({ type: 'warning', code: 'procfile', message });
    expect(staged.outcome.warnings).toContain(message);
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
