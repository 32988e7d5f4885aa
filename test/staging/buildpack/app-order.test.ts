import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type AppWishes,
  isHerokuStaging,
  sourceWishes,
} from '../../../src/staging/buildpack/acquire/app-order.ts';
import { openSource } from '../../../src/staging/source/open.ts';

let app: string;
beforeEach(async () => {
  app = await mkdtemp(join(tmpdir(), 'wishes-'));
});
afterEach(async () => {
  await rm(app, { recursive: true, force: true });
});

/** What the app wishes with these files beside another. */
async function wishes(files: Readonly<Record<string, string>>): Promise<AppWishes> {
  for (const [name, text] of Object.entries({ ...files, zzz: '' })) await writeFile(join(app, name), text);
  return await sourceWishes(await openSource(app), { signal: new AbortController().signal });
}

describe('.buildpacks', () => {
  it('#53 with one URL among comments, blank lines and CRs is that buildpack', async () => {
    expect(await wishes({ '.buildpacks': '# mine\r\n\r\nhttps://host/x.git#v1\r\n' })).toMatchObject({
      buildpacks: ['https://host/x.git#v1'],
    });
  });

  it('#54 of several is the order, of only comments is none', async () => {
    const list = 'https://host/a\nheroku/go # second\nhttps://host/c.tgz';
    expect(await wishes({ '.buildpacks': list })).toMatchObject({
      buildpacks: ['https://host/a', 'https://github.com/heroku/heroku-buildpack-go', 'https://host/c.tgz'],
    });
    expect(await wishes({ '.buildpacks': '# a\n  # b\n\n' })).toMatchObject({ buildpacks: [] });
  });

  it('#54 wins over app.json', async () => {
    const appJson = JSON.stringify({ buildpacks: [{ url: 'heroku/ruby' }], env: { A: '1' } });
    expect(await wishes({ '.buildpacks': 'https://host/a\n', 'app.json': appJson })).toEqual({
      buildpacks: ['https://host/a'],
      from: '.buildpacks',
      env: { A: '1' },
    });
  });
});

describe('a buildpack that an app names', () => {
  it.each([
    '/etc',
    './vendor/buildpack',
    '~/keys',
    'vendor/buildpack.zip',
    'file:///etc/x.git',
    'ssh://git@host/private.git',
    'git@host:private.git',
    'somebody/of-a-registry',
  ])('is refused when it is %s: it would bring what only this machine can read', async (reference) => {
    const refused = { code: 'SOURCE_UNSAFE', next: expect.stringContaining('--buildpack') };
    await expect(wishes({ '.buildpacks': `heroku/go\n${reference}\n` })).rejects.toMatchObject(refused);
    await rm(join(app, '.buildpacks'));
    const appJson = JSON.stringify({ buildpacks: [{ url: reference }] });
    await expect(wishes({ 'app.json': appJson })).rejects.toMatchObject(refused);
  });

  it('may be an installed one, a download or a public repository', async () => {
    const buildpacks = ['ruby', 'https://host/a.tgz', 'http://host/b.git#v1', 'git://host/c'];
    expect(await wishes({ '.buildpacks': buildpacks.join('\n') })).toMatchObject({ buildpacks });
  });
});

describe('app.json', () => {
  it('names buildpacks and defaults of config vars', async () => {
    const env = {
      PLAIN: 'x',
      LONG: { value: 'y', required: true },
      SECRET: { generator: 'secret' },
      NUMBER: { value: 3 },
    };
    const appJson = JSON.stringify({ name: 'n', buildpacks: [{ url: 'urn:buildpack:heroku/python' }], env });
    expect(await wishes({ 'app.json': appJson })).toEqual({
      buildpacks: ['https://github.com/heroku/heroku-buildpack-python'],
      from: 'app.json',
      env: { PLAIN: 'x', LONG: 'y', NUMBER: '3' },
    });
  });

  it.each(['{', '[]', '{"buildpacks": "x"}', '{"env": {"A": []}}'])('that is %s is refused', async (text) => {
    await expect(wishes({ 'app.json': text })).rejects.toMatchObject({ code: 'SOURCE_ARCHIVE_INVALID' });
  });

  it('and .buildpacks that are absent wish nothing', async () => {
    expect(await wishes({})).toEqual({ buildpacks: [], env: {} });
  });
});

it('the files count only where the staging is Heroku’s', () => {
  expect(isHerokuStaging('heroku-24', undefined)).toBe(true);
  expect(isHerokuStaging('host', 'heroku')).toBe(true);
  expect(isHerokuStaging('heroku-24', 'cf')).toBe(false);
  expect(isHerokuStaging('cflinuxfs4', undefined)).toBe(false);
});
