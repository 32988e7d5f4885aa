/** node_modules that an app brings along: none of it, some of it, all of it; with each package manager. */
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Driver } from '../support/buildpack-driver.ts';

async function answer(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** An app of these files; nothing of a fixture. */
async function app(files: Record<string, string>): Promise<Driver> {
  const driver = await Driver.of('yarn');
  await rm(driver.at('app'), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(driver.at('app', name)), { recursive: true });
    await writeFile(driver.at('app', name), text);
  }
  return driver;
}

const SERVER = `require('http').createServer((_, answer) => answer.end('odd=' + require('is-odd')(3))).listen(process.env.PORT)`;
const PACKAGE = '{"name":"a","version":"1.0.0","engines":{"node":"24"},"dependencies":{"is-odd":"3.0.1"}}';

describe('a node_modules without packages', () => {
  it('is as good as none: dependencies are installed', async () => {
    await using one = await app({
      'package.json': PACKAGE,
      'server.js': SERVER,
      'node_modules/.gitkeep': '',
      'node_modules/.package-lock.json': '{}',
      'node_modules/is-odd/node_modules/.keep': '',
    });
    const staged = await one.stage('nodejs');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toContain('$ npm install --omit=dev --no-save');
    expect(existsSync(one.at('app/node_modules/is-odd/index.js'))).toBe(true);
  });
});

describe('a partly filled node_modules', () => {
  it.each([
    ['pnpm', 'ms', 'a minute is 60000 ms\n'],
    ['express', 'body-parser', 'Hello from express on stager\n'],
  ])('of %s gets what it lacks', async (fixture, name, expected) => {
    await using one = await Driver.of(fixture);
    expect(await one.stage('nodejs')).toMatchObject({ code: 0 });
    await rm(one.at('app/node_modules', name), { recursive: true });
    const again = await one.stage('nodejs');
    expect(again, again.output).toMatchObject({ code: 0 });
    expect(again.output).toMatch(new RegExp(`lacks 1 of its dependencies:\n +${name} \\(`));
    await one.launch('node server.js', async (url) => expect(await answer(url)).toBe(expected));
  });

  it('that resolves to a package of another version, or to one whose main file was ignored, gets the right one', async () => {
    await using one = await app({
      'package.json': PACKAGE,
      'server.js': SERVER,
      'node_modules/is-odd/package.json':
        '{"name":"is-odd","version":"3.0.1","main":"dist/index.js","dependencies":{"is-number":"^6.0.0"}}',
      'node_modules/is-number/package.json': '{"name":"is-number","version":"3.0.0"}',
    });
    const staged = await one.stage('nodejs');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toContain('The main file of node_modules/is-odd is not there');
    await one.launch('node server.js', async (url) => expect(await answer(url)).toBe('odd=true'));
  });
});

describe('an app whose dependencies are not there after all', () => {
  it('is not staged, and is told which', async () => {
    await using one = await app({
      'package.json': JSON.stringify({
        engines: { node: '24' },
        scripts: { build: 'rm -rf node_modules/is-number' },
        dependencies: { 'is-odd': '3.0.1' },
      }),
    });
    const staged = await one.stage('nodejs');
    expect(staged.code).toBe(1);
    expect(staged.output).toContain('**ERROR** the app would not start: 1 of its dependencies is not there');
    expect(staged.output).toContain('is-number (^6.0.0), asked for by is-odd');
    expect(staged.output).toContain('NODE_CHECK_DEPENDENCIES=false');
  });

  it("is told which with Plug'n'Play as well", async () => {
    await using one = await Driver.of('berry');
    expect(await one.stage('nodejs')).toMatchObject({ code: 0 });
    await writeFile(
      one.at('app/package.json'),
      JSON.stringify({ scripts: { 'heroku-prebuild': 'true' }, dependencies: { ms: '*', unheard: '1.0.0' } }),
    );
    const finalized = await one.finalize('nodejs');
    expect(finalized.code).toBe(1);
    expect(finalized.output).toContain('unheard (1.0.0), asked for by package.json');
    expect(finalized.output).not.toContain('ms (');
  });
});
