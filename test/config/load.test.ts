import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Config, type LoadInput, loadConfig } from '../../src/config/load.ts';
import { SETTINGS } from '../../src/config/schema.ts';
import { CHOICES, type Setting } from '../../src/config/setting.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-config-'));
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const rows: readonly (readonly [string, Setting])[] = Object.entries(SETTINGS);

function load(input: Partial<LoadInput>): Promise<Config> {
  return loadConfig({ flags: {}, cwd: dir, ...input, env: { HOME: join(dir, 'home'), ...input.env } });
}

async function fileOf(name: string, content: unknown): Promise<string> {
  const path = join(dir, name);
  const isWritten = typeof content === 'string' || Buffer.isBuffer(content);
  await writeFile(path, isWritten ? content : stringify(content));
  return path;
}

const settingOf = ({ settings }: Config, key: string): unknown => new Map(Object.entries(settings)).get(key);

/** A text for a setting that is not its default, and what becomes of it. */
function example({ kind }: Setting): readonly [text: string, value: unknown] {
  switch (kind) {
    case 'text':
      return ['zeta', 'zeta'];
    case 'address':
      return ['s3://bucket/a', 's3://bucket/a'];
    case 'path':
    case 'program':
      return ['sub/file', join(dir, 'sub/file')];
    case 'list':
      return ['A=1', ['A=1']];
    case 'paths':
      return ['vars.yml', [join(dir, 'vars.yml')]];
    case 'references':
      return ['./bp', [join(dir, 'bp')]];
    case 'flag':
      return ['true', true];
    case 'size':
      return ['3G', 3072];
    case 'duration':
      return ['1h30m', 5_400_000];
    case 'count':
      return ['42', 42];
    case 'port':
      return ['8080', 8080];
    case 'network':
    case 'sandbox':
    case 'diskBound':
    case 'workspace':
    case 'keep':
    case 'buildpackApi':
    case 'ignoreStyle':
    case 'logLevel': {
      const word = CHOICES[kind].at(-1) ?? '';
      return [word, word];
    }
  }
}

describe('a config file', () => {
  it('may be UTF-16, as PowerShell writes it', async () => {
    const configFile = await fileOf('utf16.yml', Buffer.from('\uFEFFmemory: 300M\r\n', 'utf16le'));
    expect((await load({ configFile })).settings.memory).toBe(300);
  });
});

describe('every setting', () => {
  it.each(rows)('%s can be given by flag, by variable and in a file', async (key, row) => {
    const [text, value] = example(row);
    expect(settingOf(await load({ flags: { [key]: text } }), key)).toEqual(value);
    expect(settingOf(await load({ env: { [row.variable]: text } }), key)).toEqual(value);
    const configFile = await fileOf('one.yml', { [key]: row.kind === 'flag' ? true : text });
    expect(settingOf(await load({ configFile }), key)).toEqual(value);
  });

  it.each(rows)('%s in the wrong type is refused by its name', async (key, row) => {
    const isList = Array.isArray(example(row)[1]);
    const configFile = await fileOf('one.yml', { [key]: isList ? { a: 'map' } : ['x', 'y'] });
    await expect(load({ configFile })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(key),
    });
  });
});

describe('where a setting comes from', () => {
  it.each([
    ['sandbox: none', /stager.yml: sandbox none can't be set by a file that may be an app's/],
    ['runtime: ./runc', /stager.yml: runtime .\/runc can't be set/],
  ])(
    'the sandbox stays when an app brings a stager.yml with %s, unless that is named',
    async (text, reason) => {
      const cwd = join(dir, 'of-an-app');
      await mkdir(cwd, { recursive: true });
      const configFile = await fileOf('of-an-app/stager.yml', text);
      await expect(load({ cwd })).rejects.toThrow(reason);
      await load({ cwd, configFile });
      await fileOf('of-an-app/stager.yml', 'sandbox: oci\n');
      expect((await load({ cwd })).settings.sandbox).toBe('oci');
    },
  );

  it.each([
    [
      'envFile: /etc/hostname',
      /envFile can't lead out of the directory, as \/etc\/hostname does, by a file that/,
    ],
    ['services: ../services.json', /services can't lead out/],
    ['varsFiles: [vars.yml, ../vars.yml]', /varsFiles can't lead out of the directory, as ..\/vars.yml does/],
    ['output: away/droplet.tgz', /output can't lead out of the directory, as away\/droplet.tgz does/],
    ['result: nowhere', /result can't lead out/],
  ])(
    'no stager.yml of an app reads or writes outside of it with %s, unless it is named',
    async (text, reason) => {
      const cwd = join(dir, 'of-a-curious-app');
      await mkdir(cwd, { recursive: true });
      await symlink('/', join(cwd, 'away')).catch(() => undefined);
      await symlink('/no/where', join(cwd, 'nowhere')).catch(() => undefined);
      const configFile = await fileOf('of-a-curious-app/stager.yml', text);
      await expect(load({ cwd })).rejects.toThrow(reason);
      await load({ cwd, configFile });
      await fileOf(
        'of-a-curious-app/stager.yml',
        'output: new/droplet.tgz\nenvFile: ./env\nhome: /srv/stager\n',
      );
      expect((await load({ cwd })).settings.output).toBe(join(cwd, 'new/droplet.tgz'));
    },
  );

  it('a flag wins over a variable, over ./stager.yml, over the file of the user, over the default', async () => {
    const home = join(dir, 'layers');
    await mkdir(join(home, '.config/stager'), { recursive: true });
    const at = async (input: Partial<LoadInput>) =>
      (await load({ ...input, cwd: home, env: { HOME: home, ...input.env } })).settings.memory;
    expect(await at({})).toBe(1024);
    await fileOf('layers/.config/stager/config.yml', { memory: '100M' });
    expect(await at({})).toBe(100);
    await fileOf('layers/stager.yml', { memory: '200M' });
    expect(await at({})).toBe(200);
    expect(await at({ env: { STAGER_MEMORY: '300M' } })).toBe(300);
    expect(await at({ env: { STAGER_MEMORY: '300M' }, flags: { memory: '400M' } })).toBe(400);
    const configFile = await fileOf('other.yml', { memory: '500M' });
    expect(await at({ configFile })).toBe(500);
    expect(await at({ env: { STAGER_CONFIG: configFile } })).toBe(500);
  });

  it('an empty variable is none', async () => {
    const { settings } = await load({ env: { STAGER_MEMORY: '', STAGER_CONFIG: '', STAGER_STACK: '' } });
    expect(settings).toMatchObject({ memory: 1024, stack: 'host' });
  });

  it('paths in a file are relative to the file, in a variable to the working directory', async () => {
    await mkdir(join(dir, 'conf'), { recursive: true });
    const configFile = await fileOf('conf/stager.yml', {
      buildpacks: ['nodejs', './bp', '../up', 'https://example.com/bp.git#v1'],
      varsFiles: ['vars.yml'],
      envFile: '.env',
      blobstore: 'blobs',
    });
    expect((await load({ configFile })).settings).toMatchObject({
      buildpacks: ['nodejs', join(dir, 'conf/bp'), join(dir, 'up'), 'https://example.com/bp.git#v1'],
      varsFiles: [join(dir, 'conf/vars.yml')],
      envFile: join(dir, 'conf/.env'),
      blobstore: join(dir, 'conf/blobs'),
    });
    expect((await load({ env: { STAGER_BUILDPACK: './a\n./b\n' } })).settings.buildpacks).toEqual([
      join(dir, 'a'),
      join(dir, 'b'),
    ]);
  });

  it('the homes are absolute whatever HOME and XDG_* hold', async () => {
    for (const home of ['', 'relative', undefined]) {
      const { home: data, cacheHome } = await load({ env: { HOME: home, XDG_DATA_HOME: 'also/relative' } });
      expect(data).toMatch(/^\/.*\/\.local\/share\/stager$/);
      expect(cacheHome).toMatch(/^\/.*\/\.cache\/stager$/);
    }
  });
});

describe('a file that is wrong', () => {
  it.each([
    ['an unknown key', 'memry: 1G', /no such setting: memry/],
    ['a name that every object has', 'toString: x', /no such setting: toString/],
    ['a list', '- memory', /not a map of settings/],
    ['broken YAML', 'a: b: c', /bad\.yml: .*line 1/s],
    ['nothing behind a key', 'env:', /env: a setting is a text/],
    ['an empty text', 'stack: ""', /stack in .*bad\.yml: "" is not a value/],
    ['a number without a unit', 'memory: 12', /"12" is not a size with a unit/],
    ['a size that no machine has', 'disk: 99999999T', /"99999999T" is not a size with a unit/],
    ['a word that is none', 'keep: sometimes', /"sometimes" is not one of never, failed, always/],
  ])('with %s is refused', async (_what, text, message) => {
    const configFile = await fileOf('bad.yml', text);
    await expect(load({ configFile })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(message),
      next: expect.stringMatching(/./),
    });
  });

  it('is refused by its name when it cannot be read', async () => {
    await expect(load({ configFile: 'nowhere.yml' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `can't read ${join(dir, 'nowhere.yml')}: ENOENT`,
    });
  });
});
