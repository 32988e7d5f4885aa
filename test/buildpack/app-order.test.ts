import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  appWishes,
  isHerokuStaging,
  parseBuildpacksFile,
  sourceWishes,
} from '../../src/buildpack/app-order.ts';
import { openSource } from '../../src/source/open.ts';

let app: string;
beforeEach(async () => {
  app = await mkdtemp(join(tmpdir(), 'wishes-'));
});
afterEach(async () => {
  await rm(app, { recursive: true, force: true });
});

describe('.buildpacks', () => {
  it('#53 with one URL among comments, blank lines and CRs is that buildpack', () => {
    expect(parseBuildpacksFile('# mine\r\n\r\nhttps://host/x.git#v1\r\n')).toEqual(['https://host/x.git#v1']);
  });

  it('#54 of several is the order, of only comments is none', () => {
    expect(parseBuildpacksFile('https://host/a\nheroku/go # second\nhttps://host/c.tgz')).toEqual([
      'https://host/a',
      'https://github.com/heroku/heroku-buildpack-go',
      'https://host/c.tgz',
    ]);
    expect(parseBuildpacksFile('# a\n  # b\n\n')).toEqual([]);
  });

  it('#54 wins over app.json', async () => {
    await writeFile(join(app, '.buildpacks'), 'https://host/a\n');
    await writeFile(
      join(app, 'app.json'),
      JSON.stringify({ buildpacks: [{ url: 'heroku/ruby' }], env: { A: '1' } }),
    );
    expect(await appWishes(app)).toEqual({
      buildpacks: ['https://host/a'],
      from: '.buildpacks',
      env: { A: '1' },
    });
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
    await writeFile(
      join(app, 'app.json'),
      JSON.stringify({ name: 'n', buildpacks: [{ url: 'urn:buildpack:heroku/python' }], env }),
    );
    expect(await appWishes(app)).toEqual({
      buildpacks: ['https://github.com/heroku/heroku-buildpack-python'],
      from: 'app.json',
      env: { PLAIN: 'x', LONG: 'y', NUMBER: '3' },
    });
  });

  it.each(['{', '[]', '{"buildpacks": "x"}', '{"env": {"A": []}}'])('that is %s is refused', async (text) => {
    await writeFile(join(app, 'app.json'), text);
    await expect(appWishes(app)).rejects.toMatchObject({ code: 'SOURCE_ARCHIVE_INVALID' });
  });

  it('is found in an app that is not unpacked yet', async () => {
    await writeFile(join(app, 'app.json'), '{"buildpacks": [{"url": "https://host/x"}]}');
    await writeFile(join(app, 'zzz'), '');
    const source = await openSource(app);
    const signal = new AbortController().signal;
    expect(await sourceWishes(source, { signal })).toMatchObject({
      buildpacks: ['https://host/x'],
      from: 'app.json',
    });
  });

  it('and .buildpacks that are absent wish nothing', async () => {
    expect(await appWishes(app)).toEqual({ buildpacks: [], env: {} });
  });
});

it('the files count only where the staging is Heroku’s', () => {
  expect(isHerokuStaging('heroku-24', undefined)).toBe(true);
  expect(isHerokuStaging('host', 'heroku')).toBe(true);
  expect(isHerokuStaging('heroku-24', 'cf')).toBe(false);
  expect(isHerokuStaging('cflinuxfs4', undefined)).toBe(false);
});
