/** Cloud Foundry cases of buildpack-contracts.md 7.1: which scripts run, in which order. The number of a case is in its name. */
import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Staged } from '../../support/buildpack-rig.ts';
import { conformanceRig, failure, success } from '../../support/conformance.ts';

const rig = conformanceRig();
const names = (staged: Staged) => success(staged).result.lifecycle_metadata.buildpacks.map((it) => it.name);

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
