/** The nodejs buildpack over the fixture apps: real registries, real Node, real HTTP answers. */
import { existsSync, readFileSync } from 'node:fs';
import { cp, lstat, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256OfBytes } from '../../src/words/digest.ts';
import { Driver } from '../support/buildpack-driver.ts';

async function answer(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** Every path below the app with kind, mode and content; not when it was written. */
async function treeOf(app: Driver): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(app.at('app'), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const { mode } = await lstat(path);
    const content = entry.isSymbolicLink()
      ? await readlink(path)
      : entry.isFile()
        ? sha256OfBytes(withoutTimes(path, await readFile(path)))
        : '';
    found.push([path, mode.toString(8), content].join(' '));
  }
  return found.sort();
}

/** pnpm writes down when it looked at what it installed. */
function withoutTimes(path: string, bytes: Buffer): Buffer {
  if (!/\/\.(modules\.yaml|pnpm-workspace-state-v1\.json)$/.test(path)) return bytes;
  return Buffer.from(bytes.toString().replace(/"?(prunedAt|lastValidatedTimestamp)"?: .*/, ''));
}

/** As `npm install picocolors` writes it. */
async function addDependency(app: Driver): Promise<void> {
  const integrity =
    'sha512-xceH2snhtb5M9liqDsmEw56le376mTZkEX/jEb/RxNFyegNul7eNslCXP9FDj/Lcu0X8KEyMceP2ntpaHrDEVA==';
  const entry = `"node_modules/picocolors": { "version": "1.1.1", "integrity": "${integrity}", "license": "ISC" }`;
  const asked = '"express": "5.1.0", "picocolors": "1.1.1"';
  for (const name of ['package.json', 'package-lock.json']) {
    const text = await readFile(app.at('app', name), 'utf8');
    const changed = text
      .replace('"express": "5.1.0"', asked)
      .replace('"node_modules/accepts":', `${entry},\n"node_modules/accepts":`);
    await writeFile(app.at('app', name), changed);
  }
}

/** Stages once more with the cache that the first staging left; the packages are reused, and all is as it was. */
async function restage(app: Driver, fixture: string): Promise<void> {
  const fresh = await treeOf(app);
  await app.restart(fixture);
  const again = await app.stage('nodejs');
  expect(again, again.output).toMatchObject({ code: 0 });
  expect(again.output, again.output).toMatch(
    /-----> Reusing the packages of an earlier staging \(key [0-9a-f]{12}\)/,
  );
  expect(again.output).not.toContain('Installing dependencies');
  expect(await treeOf(app)).toEqual(fresh);
}

describe('nodejs buildpack', () => {
  it('stages an Express app from its lock file, and the app answers and stops cleanly', async () => {
    await using app = await Driver.of('express', { OPTIMIZE_MEMORY: 'true' });
    const staged = await app.stage('nodejs');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toContain('-----> Installing dependencies (package-lock.json)');
    await restage(app, 'express');
    expect(existsSync(app.at('deps/0/node/include'))).toBe(false);
    expect(app.commands['web']).toBe('npm start');
    expect(readFileSync(app.at('deps/0/config.yml'), 'utf8')).toContain('"name": "nodejs"');

    const limits = { VCAP_APPLICATION: '{"limits":{"fds":1,"mem":1024}}' };
    const run = await app.launch(
      'node server.js',
      async (url) => {
        expect(await answer(url)).toBe('Hello from express on stager\n');
        expect(JSON.parse(await answer(`${url}/runtime`))).toMatchObject({
          node: expect.stringMatching(/^v24\./),
          NODE_ENV: 'production',
          NODE_OPTIONS: '--max-old-space-size=768',
          WEB_CONCURRENCY: '2',
        });
      },
      limits,
    );
    expect(run.code, run.output).toBe(0);
    expect(run.output).toContain('closed');
  });

  it('asks nothing about packages in its cache for one more dependency, and installs what a fresh staging does', async () => {
    await using app = await Driver.of('express');
    expect(await app.stage('nodejs')).toMatchObject({ code: 0 });
    await app.restart('express');
    await addDependency(app);
    const added = await app.stage('nodejs');
    expect(added.output).toContain('$ npm ci --omit=dev --prefer-offline');
    const tree = await treeOf(app);
    await app.restart('express');
    await addDependency(app);
    await rm(app.at('cache'), { recursive: true });
    await mkdir(app.at('cache'));
    const fresh = await app.stage('nodejs');
    expect(fresh, fresh.output).toMatchObject({ code: 0 });
    expect(fresh.output).not.toContain('--prefer-offline');
    expect(await treeOf(app)).toEqual(tree);
  });

  it('rebuilds node_modules that the app carries, and installs nothing', async () => {
    await using app = await Driver.of('vendored');
    const staged = await app.stage('nodejs');
    expect(staged.output).toContain('Rebuilding native modules');
    await app.launch('node server.js', async (url) => expect(await answer(url)).toBe('rebuilt\n'));
  });

  it('compiles with devDependencies and takes them out of the droplet', async () => {
    await using app = await Driver.of('typescript');
    const staged = await app.stage('nodejs');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toContain('there is no compiler any more');
    expect(existsSync(app.at('app/dist/server.js'))).toBe(true);
    await app.launch('npm start', async (url) => {
      expect(await answer(`${url}/x`)).toBe(
        'compiled on stager, without compiler, a day is 86400000 ms: /x\n',
      );
    });
  });

  it('installs with Yarn 1 from yarn.lock', async () => {
    await using app = await Driver.of('yarn');
    const staged = await app.stage('nodejs');
    expect(staged.output).toContain(
      'yarn install --non-interactive --ignore-engines --production=true --frozen-lockfile',
    );
    await restage(app, 'yarn');
    expect(existsSync(app.at('cache/yarn.tar'))).toBe(true);
    await app.launch('node server.js', async (url) =>
      expect(await answer(url)).toBe('a minute is 60000 ms\n'),
    );
  });

  it("runs a Yarn 4 app with Plug'n'Play from a cache inside the droplet", async () => {
    await using app = await Driver.of('berry');
    const staged = await app.stage('nodejs');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toContain('Installing yarn 4.18.1');
    await restage(app, 'berry');
    await rm(app.at('cache'), { recursive: true });
    await app.launch('npm start', async (url) => expect(await answer(url)).toBe('a minute is 60000 ms\n'));
  });

  it('builds with pnpm, prunes, and takes the Node line from .nvmrc', async () => {
    await using app = await Driver.of('pnpm');
    const staged = await app.stage('nodejs');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toContain('.nvmrc asks for 24');
    await restage(app, 'pnpm');
    expect(readFileSync(app.at('app/built'), 'utf8')).toBe('odd: true\n');
    expect(await readdir(app.at('app/node_modules'))).not.toContain('is-odd');
    await app.launch('node server.js', async (url) =>
      expect(await answer(url)).toBe('a minute is 60000 ms\n'),
    );
  });

  it('warns about a missing lock file and about several of them', async () => {
    await using app = await Driver.of('yarn');
    await cp(app.at('app/yarn.lock'), app.at('app/pnpm-lock.yaml'));
    await rm(app.at('app/server.js'));
    await writeFile(app.at('app/package.json'), '{"engines":{"node":"24.x"},"packageManager":"npm@11.21.2"}');
    const staged = await app.stage('nodejs');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toContain('**WARNING** Using npm; pnpm-lock.yaml, yarn.lock is ignored');
    expect(staged.output).toContain('**WARNING** There is no lock file');
    expect(staged.output).toContain('**WARNING** Nothing says how to start');
  });

  it('refuses a package manager whose pinned checksum is another', async () => {
    await using app = await Driver.of('yarn');
    const pin = `npm@11.21.2+sha512.${'0'.repeat(128)}`;
    await writeFile(
      app.at('app/package.json'),
      JSON.stringify({ engines: { node: '24.x' }, packageManager: pin }),
    );
    const staged = await app.stage('nodejs');
    expect(staged.code).toBe(1);
    expect(staged.output).toContain('wrong checksum');
  });

  it('lists the versions that exist when none matches', async () => {
    await using app = await Driver.of('yarn');
    await writeFile(app.at('app/package.json'), '{"engines":{"node":"99.x"}}');
    const staged = await app.stage('nodejs');
    expect(staged.code).toBe(1);
    expect(staged.output).toMatch(
      /\*\*ERROR\*\* no node version matches "99.x"\n +The registry has \d+ of them/,
    );
  });

  it('is not detected without package.json, and says where one is', async () => {
    await using app = await Driver.of('procfile-multi');
    expect(await app.detect('nodejs')).toMatchObject({ code: 1, output: 'no package.json\n' });
    await cp(app.at('app'), app.at('nested'), { recursive: true });
    await cp(app.at('nested'), app.at('app/web'), { recursive: true });
    await writeFile(app.at('app/web/package.json'), '{}');
    expect((await app.detect('nodejs')).output).toContain('there is web/package.json');
  });
});
