import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  comesBack,
  indexText,
  metadataText,
  readIndex,
  storeText,
} from '../../../src/staging/cnb/cnb-cache-index.ts';
import { type CnbDescriptor, parseCnbDescriptor } from '../../../src/staging/cnb/cnb-descriptor.ts';
import { addLayerRoots, applyEnvFiles, withPlatform } from '../../../src/staging/cnb/cnb-env.ts';
import { CnbHome } from '../../../src/staging/cnb/cnb-home.ts';
import {
  mergeCnbProcesses,
  readLaunchToml,
  readLayerToml,
  readUnmet,
  withWeb,
} from '../../../src/staging/cnb/cnb-launch.ts';
import { flatGroups } from '../../../src/staging/cnb/cnb-order.ts';
import {
  afterBuild,
  misfitReason,
  planFor,
  readPlan,
  resolvePlan,
} from '../../../src/staging/cnb/cnb-plan.ts';
import { contractVariables } from '../../../src/staging/cnb/cnb-scripts.ts';

const toml = (id: string, more = '', api = '0.10'): string =>
  `api = "${api}"\n[buildpack]\nid = "${id}"\nversion = "1.0.0"\n${more}`;
const cnb = (id: string, more = '', api = '0.10'): CnbDescriptor =>
  parseCnbDescriptor(toml(id, more, api), id);
const orderOf = (...groups: readonly (readonly string[])[]): string =>
  groups
    .map(
      (group) =>
        `[[order]]\n${group.map((id) => `[[order.group]]\nid = "${id.replace('?', '')}"\nversion = "1.0.0"\noptional = ${id.endsWith('?')}\n`).join('')}`,
    )
    .join('');

describe('the order', () => {
  it('#66 stands for each group of a composite in turn, without doubles, and for nothing when it is optional', () => {
    const all = [
      cnb('a'),
      cnb('b'),
      cnb('c'),
      cnb('inner', orderOf(['b', 'a'], ['c'])),
      cnb('outer', orderOf(['a', 'inner?'])),
    ];
    const find = (id: string): CnbDescriptor | undefined => all.find((it) => it.id === id);
    const flat = (...group: readonly string[]): string[] =>
      [
        ...flatGroups(
          [group.map((id) => ({ id: id.replace('?', ''), version: '', optional: id.endsWith('?') }))],
          find,
        ),
      ].map((it) => it.map(({ descriptor, optional }) => `${descriptor.id}${optional ? '?' : ''}`).join(' '));
    expect(flat('outer', 'c')).toEqual(['a b c', 'a c', 'a c']);
    expect(flat('inner', 'a?')).toEqual(['b a', 'c a?']);
    expect(() => flat('nobody')).toThrow(/nobody@any/);
    const loop = cnb('loop', orderOf(['loop']));
    expect(() => [...flatGroups([[{ id: 'loop', version: '', optional: false }]], () => loop)]).toThrow(
      /deep/,
    );
  });

  it('#67 refuses an API that is not known', () => {
    for (const api of ['0.6', '0.13', '1.0', 'x']) expect(() => cnb('a', '', api), api).toThrow();
    for (const id of ['app', 'sbom', '.', '..']) expect(() => cnb(id), id).toThrow(/reserved/);
  });
});

const passed = (who: string, ...plans: readonly string[]) => {
  const [first = '', ...rest] = plans;
  const text = [first, ...rest.map((plan) => plan.replaceAll('[[', '[[or.').replace(/^/, '[[or]]\n'))].join(
    '\n',
  );
  const read = readPlan(text);
  if (!read.ok) throw new Error(read.reason);
  return { who: who.replace('?', ''), optional: who.endsWith('?'), sections: read.sections };
};
const provides = (...names: readonly string[]): string =>
  names.map((name) => `[[provides]]\nname = "${name}"\n`).join('');
const requires = (...names: readonly string[]): string =>
  names.map((name) => `[[requires]]\nname = "${name}"\n`).join('');

describe('the plan', () => {
  it('#68 fails for what is provided to nobody or required of nobody, and leaves the optional out', () => {
    expect(resolvePlan([passed('a', provides('x')), passed('b', requires('x'))])?.group).toEqual(['a', 'b']);
    expect(resolvePlan([passed('a', provides('x'))])).toBeUndefined();
    expect(resolvePlan([passed('a', requires('x'))])).toBeUndefined();
    expect(resolvePlan([passed('b', requires('x')), passed('a', provides('x'))])).toBeUndefined();
    expect(resolvePlan([passed('a?', provides('x')), passed('b')])?.group).toEqual(['b']);
    // What the one that is left out required is wanted no more.
    expect(
      resolvePlan([passed('a?', provides('x')), passed('b?', requires('x', 'y')), passed('c')])?.group,
    ).toEqual(['c']);
    expect(resolvePlan([passed('a?', provides('x'))])).toBeUndefined();
  });

  it('#69 takes the first alternatives that fit, from left to right', () => {
    const both = passed('a', provides('x') + requires('x'), provides('y'));
    expect(resolvePlan([both, passed('b', requires('y'), '')])?.entries.map(({ name }) => name)).toEqual([
      'x',
    ]);
    expect(resolvePlan([both, passed('b', requires('y'))])?.entries.map(({ name }) => name)).toEqual(['y']);
    const merged = resolvePlan([
      passed('a', provides('x')),
      passed('b', provides('x')),
      passed('c', requires('x')),
    ]);
    expect(merged?.entries).toMatchObject([{ name: 'x', providers: ['a', 'b'], requires: [{ name: 'x' }] }]);
  });

  it('says what is missing, and what nobody wants', () => {
    expect(misfitReason([passed('a', provides('x')), passed('b', requires('y'))])).toBe(
      'nothing provides y, nothing requires x',
    );
    expect(misfitReason([passed('b', requires('x')), passed('a', provides('x'))])).toContain(
      'before it is provided',
    );
  });

  it('#70 is refused with a version at the top of a require, or when it is not TOML', () => {
    expect(readPlan('[[requires]]\nname = "x"\nversion = "1"\n')).toMatchObject({
      ok: false,
      reason: expect.stringContaining('version'),
    });
    expect(readPlan('[[requires')).toMatchObject({ ok: false });
    expect(readPlan('[[requires]]\nname = "x"\n[requires.metadata]\nversion = "1"\n')).toMatchObject({
      ok: true,
    });
  });

  it('#76 shows a provider what those before it left unmet only', () => {
    const plan = resolvePlan([
      passed('a', provides('x', 'y')),
      passed('b', provides('x')),
      passed('c', requires('x', 'y')),
    ]);
    const entries = plan?.entries ?? [];
    expect(planFor(entries, 'a').map(({ name }) => name)).toEqual(['x', 'y']);
    expect(planFor(afterBuild(entries, 'a', []), 'b')).toEqual([]);
    expect(planFor(afterBuild(entries, 'a', ['x']), 'b').map(({ name }) => name)).toEqual(['x']);
    const a = cnb('a');
    expect(readUnmet('[[unmet]]\nname = "x"\n', a, ['x', 'y'])).toEqual(['x']);
    expect(() => readUnmet('[[unmet]]\nname = "z"\n', a, ['x'])).toThrow(/z unmet/);
    expect(() => readUnmet('[[unmet]]\nname = ""\n', a, ['x'])).toThrow(/build.toml/);
  });
});

describe('the environment', () => {
  it('#71 has the variables that each API promises', () => {
    const names = (api: string) =>
      Object.keys(
        contractVariables(cnb('a/b', '', api), { CNB_LAYERS_DIR: '/l' }, { name: 'debian' }),
      ).sort();
    const eight = ['CNB_BUILDPACK_DIR', 'CNB_LAYERS_DIR', 'CNB_PLATFORM_DIR'];
    const target = ['CNB_TARGET_ARCH', 'CNB_TARGET_DISTRO_NAME', 'CNB_TARGET_OS'];
    expect(names('0.7')).toEqual(['CNB_BUILDPACK_DIR']);
    expect(names('0.8')).toEqual(eight);
    expect(names('0.10')).toEqual([...eight, ...target]);
    expect(names('0.12')).toEqual(['CNB_EXEC_ENV', ...eight, ...target].sort());
    expect(contractVariables(cnb('a/b'), {}, {})['CNB_BUILDPACK_DIR']).toBe('/cnb/buildpacks/a_b/1.0.0');
  });

  it('#74 follows the suffixes of the files, with a delimiter only where something was before', () => {
    const env = new Map([['OLD', 'old']]);
    applyEnvFiles(env, [
      { file: 'OLD.append', value: 'new' },
      { file: 'OLD.delim', value: '**' },
      { file: 'FRESH.prepend', value: 'x' },
      { file: 'FRESH.delim', value: ':' },
      { file: 'BARE', value: 'bare\n' },
      { file: 'SET.default', value: 'default' },
      { file: 'ODD.strange', value: 'never' },
    ]);
    expect(Object.fromEntries(env)).toEqual({ OLD: 'old**new', FRESH: 'x', BARE: 'bare\n', SET: 'default' });
    applyEnvFiles(env, [
      { file: 'SET.default', value: 'again' },
      { file: 'OLD.override', value: 'over' },
      { file: 'FRESH.prepend', value: 'y' },
    ]);
    expect(Object.fromEntries(env)).toMatchObject({ OLD: 'over', FRESH: 'yx', SET: 'default' });
  });

  it('#75 puts the lists of the user in front, and replaces the rest', () => {
    const env = withPlatform(
      new Map([
        ['PATH', '/bin'],
        ['A', 'a'],
      ]),
      { PATH: '/mine', A: 'b', CPATH: '/c' },
    );
    expect(Object.fromEntries(env)).toEqual({ PATH: '/mine:/bin', A: 'b', CPATH: '/c' });
  });

  it('puts the directories of layers in front of what is there', async () => {
    const host = await mkdtemp(join(tmpdir(), 'stager-cnb-'));
    const layer = '/home/vcap/layers/a/l';
    for (const name of ['bin', 'lib', 'include', 'pkgconfig'])
      mkdirSync(join(host, 'layers/a/l', name), { recursive: true });
    const home = new CnbHome(host, 'COMPILE_FAILED');
    const [build, launch] = [new Map([['PATH', '/bin']]), new Map([['PATH', '/bin']])];
    await addLayerRoots(build, { home, layer }, 'build');
    await addLayerRoots(launch, { home, layer }, 'launch');
    expect(Object.fromEntries(build)).toEqual({
      PATH: `${layer}/bin:/bin`,
      LD_LIBRARY_PATH: `${layer}/lib`,
      LIBRARY_PATH: `${layer}/lib`,
      CPATH: `${layer}/include`,
      PKG_CONFIG_PATH: `${layer}/pkgconfig`,
    });
    expect(Object.fromEntries(launch)).toEqual({
      PATH: `${layer}/bin:/bin`,
      LD_LIBRARY_PATH: `${layer}/lib`,
    });
    await rm(host, { recursive: true });
  });
});

describe('what buildpacks leave', () => {
  it('#73 is a layer of the types of its file; a type outside of its table is refused', () => {
    expect(readLayerToml('[types]\nlaunch = true\n[metadata]\nk = 1\n', cnb('a'), 'x')).toEqual({
      launch: true,
      build: false,
      cache: false,
      metadata: { k: 1 },
    });
    expect(readLayerToml('', cnb('a'), 'x')).toMatchObject({ launch: false, build: false, cache: false });
    expect(() => readLayerToml('launch = true\n', cnb('a'), 'x')).toThrow(/outside \[types\]/);
  });

  it('#77 are processes: the last of a type counts, with the rules of each API', () => {
    const [old, young] = [cnb('old', '', '0.8'), cnb('young', '', '0.9')];
    const first = readLaunchToml(
      '[[processes]]\ntype = "web"\ncommand = "run it"\ndefault = true\n',
      old,
    ).processes;
    expect(first).toMatchObject([{ command: ['run it'], direct: false, default: true }]);
    const second = readLaunchToml(
      '[[processes]]\ntype = "web"\ncommand = ["run", "it"]\nargs = ["a"]\n',
      young,
    ).processes;
    expect(mergeCnbProcesses([first, second])).toMatchObject({
      processes: [{ direct: true, buildpack: 'young' }],
    });
    expect(mergeCnbProcesses([first, second]).defaultType).toBeUndefined();
    for (const [text, buildpack] of [
      ['command = ["x"]', old],
      ['command = "x"', young],
      ['command = ["x"]\ndirect = true', young],
      ['command = ["x"]\ndefault = true\n[[processes]]\ntype = "b"\ncommand = ["x"]\ndefault = true', young],
    ] as const)
      expect(() => readLaunchToml(`[[processes]]\ntype = "a"\n${text}\n`, buildpack), text).toThrow(
        /launch.toml|command|direct/,
      );
  });

  it('#84 get a web process from the default one, or from the only one', () => {
    const one = (type: string, isDefault = false) =>
      readLaunchToml(
        `[[processes]]\ntype = "${type}"\ncommand = ["${type}"]\ndefault = ${isDefault}\n`,
        cnb('a'),
      ).processes;
    const types = (...lists: readonly ReturnType<typeof one>[]) =>
      withWeb(mergeCnbProcesses(lists)).map(({ type, command }) => `${type}=${command}`);
    expect(types(one('worker'))).toEqual(['worker=worker', 'web=worker']);
    expect(types(one('a'), one('b', true))).toEqual(['a=a', 'b=b', 'web=b']);
    expect(types(one('a'), one('b'))).toEqual(['a=a', 'b=b']);
    expect(types(one('web'))).toEqual(['web=web']);
  });
});

describe('the home of scripts', () => {
  it('is written to only where its directories are real, in the place of whatever was there', async () => {
    const root = await mkdtemp(join(tmpdir(), 'stager-cnb-'));
    const [home, outside] = [join(root, 'home'), join(root, 'outside')];
    mkdirSync(join(home, 'layers/a'), { recursive: true });
    mkdirSync(join(outside, 'a/l'), { recursive: true });
    writeFileSync(join(outside, 'file'), 'outside');
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const there = new CnbHome(home, 'COMPILE_FAILED');
    symlinkSync(join(outside, 'file'), join(home, 'layers/a/l.toml'));
    await there.write('/home/vcap/layers/a/l.toml', 'new', owner);
    expect(readFileSync(join(home, 'layers/a/l.toml'), 'utf8')).toBe('new');
    expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('outside');
    await rm(join(home, 'layers'), { recursive: true });
    symlinkSync(outside, join(home, 'layers'));
    for (const step of [
      () => there.remove('/home/vcap/layers/a/l'),
      () => there.remove('/home/vcap/layers/a'),
      () => there.make('/home/vcap/layers/b', owner),
      () => there.write('/home/vcap/layers/a/x', '', owner),
      () => there.copy('/home/vcap/layers/file', '/home/vcap/layers/a/x', owner),
    ])
      await expect(step()).rejects.toMatchObject({ code: 'COMPILE_FAILED' });
    expect(await there.text('/home/vcap/layers/file')).toBeUndefined();
    expect(readdirSync(outside).toSorted()).toEqual(['a', 'file']);
    expect(readdirSync(join(outside, 'a'))).toEqual(['l']);
    await rm(root, { recursive: true });
  });
});

describe('the document of a cache', () => {
  it('is ours in this version, with names that stay in their directory', () => {
    const layer = { digest: 'a'.repeat(64), launch: true, build: false, cache: false, metadata: '' };
    const text = indexText({ buildpacks: [{ id: 'a', layers: { l: layer } }] });
    expect(readIndex(text)).toMatchObject({ buildpacks: [{ layers: { l: { launch: true } } }] });
    for (const [from, to] of [
      ['"l"', '".."'],
      ['"l"', '"a/b"'],
      ['"format":1', '"format":2'],
      ['aaaa', '/../'],
      ['{', ''],
    ] as const)
      expect(readIndex(text.replace(from, to)), to).toBeUndefined();
  });

  it('#78 says what comes back, and metadata without types', () => {
    const of = (...types: readonly string[]) =>
      comesBack({
        launch: types.includes('launch'),
        build: types.includes('build'),
        cache: types.includes('cache'),
      });
    expect(of('launch')).toBe('metadata');
    for (const types of [['cache'], ['cache', 'build'], ['cache', 'launch'], ['cache', 'launch', 'build']])
      expect(of(...types)).toBe('content');
    for (const types of [[], ['build'], ['launch', 'build']]) expect(of(...types)).toBe('nothing');
    expect(metadataText({ v: 1 })).toBe('[metadata]\nv = 1\n');
    expect(metadataText(undefined)).toBe('');
    expect(storeText('[metadata]\nk = "v"\n[other]\n')).toBe('[metadata]\nk = "v"\n');
    expect(storeText('nothing = 1')).toBeUndefined();
  });
});
