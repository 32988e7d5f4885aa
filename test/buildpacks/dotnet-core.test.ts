import { satisfies } from 'semver';
import { describe, expect, it } from 'vitest';
import { readDotnetApp } from '../../buildpacks/dotnet-core/src/app.ts';
import { findProject } from '../../buildpacks/dotnet-core/src/build.ts';
import { type Policy, rollForward } from '../../buildpacks/dotnet-core/src/roll-forward.ts';
import { chooseRuntime } from '../../buildpacks/dotnet-core/src/runtime.ts';
import { stackLibc } from '../../buildpacks/kit/libc.ts';
import { createLog } from '../../buildpacks/kit/log.ts';
import { type Dependency, loadManifest } from '../../buildpacks/kit/manifest.ts';
import { type AppFiles, withAppFiles } from '../support/app-files.ts';

type Env = Readonly<Record<string, string>>;

/** The first bytes of a program for Linux. */
function elf(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01', 'latin1');
  header.writeUInt16LE(machine, 18);
  return header;
}
const [HERE, ELSEWHERE] = process.arch === 'x64' ? [62, 183] : [183, 62];
const WINDOWS = Buffer.concat([Buffer.from('MZ'), Buffer.alloc(64)]);

const config = (options: object): string => JSON.stringify({ runtimeOptions: options });
const CORE = { name: 'Microsoft.NETCore.App', version: '8.0.0' };
const ASPNET = { name: 'Microsoft.AspNetCore.App', version: '8.0.0' };
const SHARED = { 'web.dll': '', 'web.runtimeconfig.json': config({ framework: CORE }) };
const INSIDE = {
  'web.dll': '',
  'web.runtimeconfig.json': config({ includedFrameworks: [CORE] }),
  web: elf(HERE),
};
const deps = (target: string, runtime: object = {}): string =>
  JSON.stringify({ runtimeTarget: { name: target }, targets: { [target]: { 'a/1.0.0': { runtime } } } });
const V8 = '.NETCoreApp,Version=v8.0';

async function appOf(files: AppFiles, env: Env = {}) {
  return await withAppFiles(files, (path) => readDotnetApp(path, env));
}

/** Chosen for the app, of the manifest and `more` versions. */
async function chosen(files: AppFiles, env: Env = {}, more: readonly [string, string][] = []) {
  const manifest = await loadManifest('buildpacks/dotnet-core');
  const checksum = { algorithm: 'sha256', digest: '' } as const;
  const extra = more.map(
    ([name, version]): Dependency => ({ name, version, uri: 'https://x/y.tgz', checksum }),
  );
  const own = manifest.dependencies.map((it) => ({ ...it, arch: undefined }));
  const lines: string[] = [];
  const { config: read } = await appOf(files, env);
  const found = await chooseRuntime(
    {
      manifest: { ...manifest, dependencies: [...own, ...extra] },
      env: { CF_STACK: 'host', ...env },
      log: createLog((line) => lines.push(line)),
    },
    read?.frameworks ?? [],
  );
  return `${found.version} ${lines.join(' ')}`;
}

describe('the version of .NET', () => {
  const versions = [
    '6.0.36',
    '8.0.4',
    '8.0.11',
    '8.1.2',
    '8.2.0',
    '9.0.0',
    '9.0.3',
    '10.0.0-preview.1',
    '10.1.0',
  ];
  it.each<[string, Policy, string | undefined]>([
    ['8.0.0', 'Minor', '8.0.11'],
    ['8.0.12', 'Minor', '8.1.2'],
    ['8.0.0', 'LatestPatch', '8.0.11'],
    ['8.0.12', 'LatestPatch', undefined],
    ['8.0.0', 'LatestMinor', '8.2.0'],
    ['8.0.0', 'LatestMajor', '10.1.0'],
    ['7.0.0', 'Minor', undefined],
    ['7.0.0', 'Major', '8.0.11'],
    ['8.0.4', 'Disable', '8.0.4'],
    ['8.0.5', 'Disable', undefined],
    ['10.0.0-preview.1', 'LatestPatch', '10.0.0-preview.1'],
    ['newest', 'Minor', undefined],
  ])('for %s with %s is %s', (version, policy, expected) => {
    expect(rollForward({ version, policy }, versions)).toBe(expected);
  });

  it('is said by the file, then by DOTNET_ROLL_FORWARD', async () => {
    const policy = async (options: object, env: Env = {}) =>
      (await appOf({ 'web.dll': '', 'web.runtimeconfig.json': config(options) }, env)).config?.frameworks[0]
        ?.policy;
    const env = { DOTNET_ROLL_FORWARD: 'major' };
    expect(await policy({ framework: CORE })).toBe('Minor');
    expect(await policy({ framework: CORE }, env)).toBe('Major');
    expect(await policy({ framework: CORE, rollForward: 'LatestPatch' }, env)).toBe('LatestPatch');
    expect(await policy({ framework: { ...CORE, rollForward: 'Disable' }, rollForward: 'LatestPatch' })).toBe(
      'Disable',
    );
    expect(await policy({ framework: CORE, rollForwardOnNoCandidateFx: 2 })).toBe('Major');
    expect(await policy({ framework: CORE, applyPatches: false })).toBe('Disable');
  });

  it('is that of the manifest, or of what an operator adds, and says when its line ended', async () => {
    expect(await chosen(SHARED)).toMatch(/^8\.0\.\d+ .*end of life on 2026-11-10/);
    const files = { ...SHARED, 'web.runtimeconfig.json': config({ frameworks: [CORE, ASPNET] }) };
    expect(await chosen(files)).toContain('Microsoft.AspNetCore.App 8.0.');
    expect(await chosen(files, {}, [['Microsoft.AspNetCore.App', '8.0.99']])).toMatch(/^8\.0\.99 /);
  });

  it('that needs a newer C library is not chosen, and named where nothing else fits', async () => {
    const ten = config({ framework: { ...ASPNET, version: '10.0.0' } });
    const told = chosen({ ...SHARED, 'web.runtimeconfig.json': ten });
    if (satisfies(stackLibc() ?? '0.0.0', '>=2.38')) expect(await told).toMatch(/^10\.0\./);
    else
      await expect(told).rejects.toMatchObject({
        next: expect.stringMatching(/10\.0\.\d+ needs glibc >=2\.38/),
      });
  });
});

describe('the project to build', () => {
  const sdk = (kind: string) => `<Project Sdk="Microsoft.NET.Sdk${kind}"></Project>`;
  const two = { 'a/a.csproj': sdk(''), 'b/b.csproj': sdk('') };
  it.each<[string, AppFiles, Env, string | undefined]>([
    ['none', { 'x.txt': '' }, {}, undefined],
    ['the only one', { 'web.csproj': sdk('.Web') }, {}, 'web.csproj'],
    ['the only one for the web', { ...two, 'c/c.fsproj': sdk('.Web') }, {}, 'c/c.fsproj'],
    ['that of a folder', two, { BP_DOTNET_PROJECT_PATH: './b/' }, 'b/b.csproj'],
    [
      'that of .deployment',
      { ...two, '.deployment': '[config]\r\nproject = a/a.csproj\r\n' },
      {},
      'a/a.csproj',
    ],
    ['none of .NET Framework', { 'Old.csproj': '<Project ToolsVersion="15.0"></Project>' }, {}, undefined],
  ])('is %s', async (_what, files, env, expected) => {
    await withAppFiles(files, async (dir) => expect(await findProject(dir, env)).toBe(expected));
  });

  it('is asked for where there are several, or not the one that is named', async () => {
    await withAppFiles(two, async (dir) => {
      await expect(findProject(dir, {})).rejects.toThrow(
        'there are several projects: a/a.csproj, b/b.csproj',
      );
      const named = findProject(dir, { BP_DOTNET_PROJECT_PATH: 'c' });
      await expect(named).rejects.toMatchObject({ next: 'It has to be one of a/a.csproj, b/b.csproj.' });
    });
  });
});

describe('a published app', () => {
  it('has its own program, or is started with dotnet', async () => {
    expect(await appOf(INSIDE)).toMatchObject({ name: 'web', program: 'web' });
    expect(await appOf(SHARED)).toMatchObject({ name: 'web', program: undefined });
    expect(await appOf({ ...SHARED, web: WINDOWS })).toMatchObject({
      program: undefined,
      warnings: [
        expect.stringContaining('./web is a program for Windows, so the app is started with dotnet'),
      ],
    });
  });

  it('may be a single file, with settings beside it', async () => {
    const files = {
      Shop: elf(HERE),
      'Shop.pdb': 'x',
      'appsettings.json': '{}',
      'libSkiaSharp.so': elf(HERE),
    };
    expect(await appOf(files)).toMatchObject({ name: 'Shop', program: 'Shop', config: undefined });
  });

  it('is the one that DOTNET_APP names, or the only one with a program', async () => {
    const files = { ...SHARED, 'task.dll': '', 'task.runtimeconfig.json': config({ framework: CORE }) };
    expect((await appOf(files, { DOTNET_APP: 'task.dll' })).name).toBe('task');
    expect((await appOf({ ...files, web: elf(HERE) })).name).toBe('web');
  });

  it('may have a byte order mark, CRLF, and files in folders of their own', async () => {
    const text = `\uFEFF${config({ framework: CORE }).replace('{', '{\r\n')}`;
    const files = {
      ...SHARED,
      'web.runtimeconfig.json': text,
      'web.deps.json': deps(V8, { 'lib/net8.0/a.dll': {}, '_._': {} }),
      'a.dll': '',
    };
    expect((await appOf(files)).parts).toEqual({ rid: undefined, missing: [], packages: ['a'] });
  });

  it('is told what will not work as it seems', async () => {
    const files = {
      ...SHARED,
      'web.runtimeconfig.json': config({ framework: CORE, configProperties: { 'System.GC.Server': true } }),
      'web.runtimeconfig.dev.json': '{}',
      'appsettings.json': '{"Kestrel":{"Endpoints":{"Http":{"Url":"http://localhost:5000"}}}}',
      'web.deps.json': deps(V8).replace('a/1.0.0', 'System.Drawing.Common/8.0.0'),
      'buildpack.yml': 'dotnet-core: {sdk: 8.0.x}',
    };
    expect((await appOf(files)).warnings.join('\n')).toMatch(
      /output of dotnet build.*libgdiplus.*a heap for each processor.*buildpack\.yml is ignored.*http:\/\/localhost:5000/s,
    );
  });

  const project = '<Project Sdk="Microsoft.NET.Sdk.Web"></Project>';
  it.each<[string, AppFiles, Env, string]>([
    ['nothing of .NET', { 'a.txt': 'x' }, {}, 'this is no published .NET app'],
    ['a project', { 'Shop.csproj': project, 'Program.cs': '' }, {}, 'there is Shop.csproj: sources'],
    ['a project of F#', { 'Shop.fsproj': project }, {}, 'there is Shop.fsproj: sources'],
    [
      'projects in folders',
      { 'a/A.csproj': project, 'b/B.vbproj': project },
      {},
      '(of a/A.csproj, b/B.vbproj)',
    ],
    [
      'published output further down',
      { 'Shop.csproj': project, 'bin/Release/net8.0/publish/Shop.runtimeconfig.json': '{}' },
      {},
      'there is one in bin/Release/net8.0/publish',
    ],
    ['several apps', { ...SHARED, 'task.runtimeconfig.json': '{}' }, {}, 'there are several apps: task, web'],
    ['an app that is not there', SHARED, { DOTNET_APP: 'shop' }, 'there is no shop.runtimeconfig.json'],
    ['several programs', { a: elf(HERE), b: elf(HERE) }, {}, 'there are several programs: a, b'],
    ['a program for Windows', { 'Shop.exe': WINDOWS }, {}, 'Shop.exe is a program for Windows'],
    ['another machine', { ...INSIDE, web: elf(ELSEWHERE) }, {}, './web is a program for'],
    [
      'a Mac',
      { ...INSIDE, web: Buffer.from('cffaedfe'.padEnd(48, '0'), 'hex') },
      {},
      './web is a program for macOS',
    ],
    ['no program of its own', { ...INSIDE, web: '' }, {}, 'its program ./web is missing'],
    ['no assembly', { 'web.runtimeconfig.json': SHARED['web.runtimeconfig.json'] }, {}, 'web.dll is not'],
    [
      'a runtime for Windows',
      { ...SHARED, 'web.deps.json': deps(`${V8}/win-x64`) },
      {},
      'web was published for win-x64',
    ],
    [
      'a runtime for Alpine',
      { ...SHARED, 'web.deps.json': deps(`${V8}/linux-musl-x64`) },
      {},
      'linux-musl-x64 (Alpine)',
    ],
    [
      'half of its files',
      { ...SHARED, 'web.deps.json': deps(V8, { 'lib/net8.0/Serilog.dll': {} }) },
      {},
      'has Serilog.dll, which the app lacks',
    ],
    [
      'a broken file',
      { ...SHARED, 'web.runtimeconfig.json': '{' },
      {},
      'web.runtimeconfig.json is not valid JSON',
    ],
    [
      'a file without options',
      { ...SHARED, 'web.runtimeconfig.json': '{}' },
      {},
      'runtimeOptions has to be an object',
    ],
    [
      'a version that is a number',
      { ...SHARED, 'web.runtimeconfig.json': config({ framework: { name: 'x', version: 8 } }) },
      {},
      'Write "8"',
    ],
    ['a list as deps.json', { ...SHARED, 'web.deps.json': '[]' }, {}, 'web.deps.json has to be an object'],
    ['merge conflicts', { ...SHARED, 'web.deps.json': '<<<<<<< HEAD\n{}' }, {}, 'unresolved merge conflicts'],
    ['a policy that is none', SHARED, { DOTNET_ROLL_FORWARD: 'Newest' }, 'DOTNET_ROLL_FORWARD is "Newest"'],
    [
      'an ASP.NET Core that there is not',
      {
        ...SHARED,
        'web.runtimeconfig.json': config({ frameworks: [CORE, { ...ASPNET, version: '7.0.0' }] }),
      },
      {},
      'Microsoft.AspNetCore.App 7.0.0 (roll forward: Minor). Available of Microsoft.AspNetCore.App: ',
    ],
    [
      'a version to come',
      { ...SHARED, 'web.runtimeconfig.json': config({ framework: { ...CORE, version: '99.0.0' } }) },
      {},
      'wants Microsoft.NETCore.App 99.0.0 (roll forward: Minor). Available of Microsoft.NETCore.App: ',
    ],
    [
      'a window',
      {
        ...SHARED,
        'web.runtimeconfig.json': config({ framework: { ...CORE, name: 'Microsoft.WindowsDesktop.App' } }),
      },
      {},
      'only for Windows',
    ],
    [
      'a framework of somebody',
      { ...SHARED, 'web.runtimeconfig.json': config({ framework: { ...CORE, name: 'Acme.App' } }) },
      {},
      'the shared framework Acme.App, which is not available',
    ],
    ['a mirror that is not there', SHARED, { STAGER_DOTNET_MIRROR: 'http://127.0.0.1:1/x' }, '.NET'],
  ])('with %s is refused in a sentence', async (_what, files, env, message) => {
    const failure = await chosen(files, env).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      name: 'BuildpackFailure',
      message: expect.stringContaining(message),
      next: expect.anything(),
    });
  });
});
