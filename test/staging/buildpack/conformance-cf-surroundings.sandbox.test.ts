/** Cloud Foundry cases of buildpack-contracts.md 7.1: cache, environment, directories. The number of a case is in its name. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { keyHash } from '../../../src/staging/build-cache/key-hash.ts';
import { FIXTURES } from '../../support/buildpack-rig.ts';
import { conformanceRig, success, variables } from '../../support/conformance.ts';

const rig = conformanceRig();
const hashOf = (fixture: string) => keyHash(join(FIXTURES, fixture));

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
    expect((await stat(join(staged.workspace.tmp, root.slice('/tmp/'.length)))).uid).toBe(rig.owner.uid);
  });
});

describe('environment', () => {
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
