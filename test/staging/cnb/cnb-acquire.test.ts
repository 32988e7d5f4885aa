import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { httpClient } from '../../../src/machine/proxy/http-client.ts';
import { acquireBuilder, acquireCnb, type CnbAcquire } from '../../../src/staging/cnb/cnb-acquire.ts';
import { withSystem } from '../../../src/staging/cnb/cnb-builder.ts';
import { imageInIndex, registryName } from '../../../src/staging/cnb/cnb-registry.ts';
import { RegistryClient } from '../../../src/stores/registry/client.ts';
import { registryPorts } from '../../../src/stores/registry/open.ts';
import { systemClock } from '../../../src/words/clock.ts';
import { hasProgram, startRegistry } from '../../support/docker-registry.ts';
import { pushLayout, type TestImage, writeAt, writeImage, writePackage } from './support.ts';

const { signal } = new AbortController();
let dir = '';
let count = 0;
let client: RegistryClient;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-cnb-acquire-'));
  const config = await loadConfig({ flags: { home: join(dir, 'home') }, machineOnly: true });
  const http = httpClient({ proxy: config.proxy, extraCa: [] });
  client = new RegistryClient(registryPorts(config, { http, clock: systemClock }), signal);
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

function parts(more: Partial<CnbAcquire> = {}): CnbAcquire {
  count += 1;
  const temp = join(dir, `temp-${count}`);
  mkdirSync(temp);
  const download = async (): Promise<never> => await Promise.reject(new Error('nothing is fetched'));
  return { temp, client, download, registryIndex: download, signal, ...more };
}

const toml = (id: string, more = ''): string =>
  `api = "0.10"\n[buildpack]\nid = "${id}"\nversion = "1.0.0"\n${more}`;

/** A directory for one layer with the buildpacks of these ids. */
function layer(name: string, ...ids: readonly string[]): string {
  for (const id of ids)
    writeAt(join(dir, name, 'cnb/buildpacks', id.replace('/', '_'), '1.0.0/buildpack.toml'), toml(id));
  return join(dir, name);
}

const group = (...ids: readonly string[]) => ({ group: ids.map((id) => ({ id, version: '1.0.0' })) });

describe('a builder', () => {
  it('brings its order, its buildpacks from their layers only, and what it says of stack and run image', async () => {
    writeAt(join(dir, 'base/cnb/buildpacks/from_base/1.0.0/buildpack.toml'), toml('from/base'));
    const image: TestImage = {
      layers: [join(dir, 'base'), layer('two', 'a/one', 'a/two')],
      labels: ([, diffId = '']) => ({
        'io.buildpacks.buildpack.order': [group('a/one'), { group: [{ id: 'a/two', optional: true }] }],
        'io.buildpacks.buildpack.layers': { 'a/one': { '1.0.0': { api: '0.10', layerDiffID: diffId } } },
        'io.buildpacks.builder.metadata': {
          stack: { runImage: { image: 'old' } },
          images: [{ image: 'run:1' }],
        },
        'io.buildpacks.buildpack.order-extensions': [group('ext')],
        'io.buildpacks.stack.id': 'io.buildpacks.stacks.noble',
      }),
    };
    const builder = await acquireBuilder(writeImage(join(dir, 'builder'), image), parts());
    expect(builder).toMatchObject({
      order: [
        [{ id: 'a/one', version: '1.0.0', optional: false }],
        [{ id: 'a/two', version: '', optional: true }],
      ],
      stackId: 'io.buildpacks.stacks.noble',
      runImage: 'run:1',
      hasExtensions: true,
    });
    expect(builder.all.map(({ descriptor }) => descriptor.id)).toEqual(['a/one', 'a/two']);
    const named = await acquireCnb('urn:cnb:builder:a/two@1.0.0', 0, parts({ builder }));
    expect(named.main.descriptor.id).toBe('a/two');
    await expect(acquireCnb('from=builder:a/three', 0, parts({ builder }))).rejects.toMatchObject({
      code: 'BUILDPACK_NOT_FOUND',
      next: expect.stringContaining('a/one@1.0.0'),
    });
  });

  it('is read from its files where it has no labels, and refused where it has neither', async () => {
    const root = layer('files', 'f/one');
    writeAt(join(root, 'cnb/order.toml'), '[[order]]\n[[order.group]]\nid = "f/one"\nversion = "1.0.0"\n');
    writeAt(join(root, 'cnb/system.toml'), '[[system.pre.buildpacks]]\nid = "f/pre"\nversion = "1.0.0"\n');
    const found = await acquireBuilder(
      writeImage(join(dir, 'files.d'), { layers: [root], labels: {} }),
      parts(),
    );
    expect(found.order.map((it) => it.map(({ id }) => id))).toEqual([['f/pre', 'f/one']]);
    const none = writeImage(join(dir, 'none.d'), { layers: [layer('none', 'n/one')], labels: {} });
    await expect(acquireBuilder(none, parts())).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
    const broken = { layers: [layer('no', 'n/one')], labels: { 'io.buildpacks.buildpack.order': '{' } };
    await expect(acquireBuilder(writeImage(join(dir, 'broken.d'), broken), parts())).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
      message: expect.stringContaining('io.buildpacks.buildpack.order'),
    });
  });

  it('#72 puts its system buildpacks around a group, without doubles', () => {
    const entry = (id: string) => ({ id, version: '', optional: false });
    const system = { pre: { buildpacks: [entry('a'), entry('b')] }, post: { buildpacks: [entry('c')] } };
    expect(withSystem([entry('b'), entry('x')], system).map(({ id }) => id)).toEqual(['a', 'b', 'x', 'c']);
  });
});

describe('a reference', () => {
  it('is an archive behind a URL as well', async () => {
    const image = {
      layers: [layer('url', 'u/one')],
      labels: { 'io.buildpacks.buildpackage.metadata': { id: 'u/one', version: '1.0.0' } },
    };
    const path = writePackage(join(dir, 'url.cnb'), image);
    const asked: string[] = [];
    const download = async (url: string) => {
      asked.push(url);
      return { path, sha256: 'abc' };
    };
    const found = await acquireCnb('https://example.com/url.cnb#sha256=abc', 0, parts({ download }));
    expect(found).toMatchObject({ main: { descriptor: { id: 'u/one' } }, digest: 'abc' });
    expect(asked).toEqual(['https://example.com/url.cnb#sha256=abc']);
  });

  it('is refused with a sentence where it names what can not be had, or run', async () => {
    writeAt(
      join(dir, 'extension/extension.toml'),
      'api = "0.10"\n[extension]\nid = "e"\nversion = "1.0.0"\n',
    );
    const extensions = { 'io.buildpacks.extension.layers': { e: {} } };
    mkdirSync(join(dir, 'empty'), { recursive: true });
    const packaged = { layers: [join(dir, 'empty')], labels: extensions };
    for (const [reference, code, message] of [
      ['urn:cnb:registry:a', 'USAGE', 'not a name of the Buildpack Registry'],
      ['urn:cnb:registry:../a/b', 'USAGE', 'not a name of the Buildpack Registry'],
      ['urn:cnb:builder:a/b', 'USAGE', 'there is none'],
      ['urn:other', 'USAGE', "can't be fetched"],
      ['git://example.com/x', 'USAGE', "can't be fetched"],
      [join(dir, 'nowhere'), 'BUILDPACK_NOT_FOUND', 'no buildpack'],
      [join(dir, 'extension'), 'BUILDPACK_MALFORMED', 'image extension'],
      [writePackage(join(dir, 'extension.cnb'), packaged), 'BUILDPACK_MALFORMED', 'image extension'],
      [join(dir, 'home'), 'BUILDPACK_MALFORMED', 'buildpack.toml'],
    ] as const) {
      mkdirSync(join(dir, 'home'), { recursive: true });
      await expect(acquireCnb(reference, 0, parts()), reference).rejects.toMatchObject({
        code,
        message: expect.stringContaining(message),
      });
    }
  });

  it('to a hostile package leads to nothing of the machine', async () => {
    const label = { 'io.buildpacks.buildpackage.metadata': { id: 'h/x', version: '1.0.0' } };
    const place = join(dir, 'machine');
    writeAt(join(place, '1.0.0/buildpack.toml'), toml('h/x'));
    const linked = join(dir, 'linked');
    mkdirSync(join(linked, 'cnb/buildpacks'), { recursive: true });
    symlinkSync(place, join(linked, 'cnb/buildpacks/h_x'));
    const through = writePackage(join(dir, 'linked.cnb'), { layers: [linked], labels: label });
    await expect(acquireCnb(through, 0, parts())).rejects.toMatchObject({
      code: 'BUILDPACK_MALFORMED',
      message: expect.stringContaining('0 buildpacks'),
    });
    const toml_ = join(dir, 'toml/cnb/buildpacks/h_x/1.0.0');
    mkdirSync(toml_, { recursive: true });
    symlinkSync(join(place, '1.0.0/buildpack.toml'), join(toml_, 'buildpack.toml'));
    const link = writePackage(join(dir, 'toml.cnb'), { layers: [join(dir, 'toml')], labels: label });
    await expect(acquireCnb(link, 0, parts())).rejects.toMatchObject({ code: 'BUILDPACK_MALFORMED' });
    execFileSync('tar', ['-cf', join(dir, 'up.tgz'), '-P', '--transform', 's,^,../,', '-C', place, '1.0.0']);
    await expect(acquireCnb(join(dir, 'up.tgz'), 0, parts())).rejects.toMatchObject({
      code: 'BUILDPACK_MALFORMED',
      message: expect.stringContaining('..'),
    });
    expect(readdirSync(place)).toEqual(['1.0.0']);
  });

  it('to a layer that is not what the image says is refused', async () => {
    const image = { layers: [layer('wrong', 'w/x')], labels: {} };
    const layout = writeImage(join(dir, 'wrong.d'), image);
    const wrong = readdirSync(join(layout, 'blobs/sha256'));
    const layers = wrong.map((name) => join(layout, 'blobs/sha256', name));
    const tar = layers.find((path) => execFileSync('head', ['-c', '1', path], { encoding: 'utf8' }) !== '{');
    execFileSync('sh', ['-c', `printf x | dd of="${tar}" bs=1 seek=600 conv=notrunc 2>/dev/null`]);
    await expect(acquireCnb(layout, 0, parts())).rejects.toMatchObject({
      code: expect.stringMatching(/IMAGE_INVALID|BUILDPACK_MALFORMED/),
    });
  });
});

describe('the index of the Buildpack Registry', () => {
  const line = (version: string, more: Record<string, unknown> = {}): string =>
    `${JSON.stringify({ ns: 'a', name: 'named', version, yanked: false, addr: `image:${version}`, ...more })}\n`;

  it('says which image a name means: the newest one, or that of a version', async () => {
    const index = join(dir, 'index');
    const all = [
      line('1.10.0'),
      line('1.9.0'),
      line('2.0.0', { yanked: true }),
      line('9.0.0', { ns: 'b' }),
      line('nonsense'),
    ];
    writeAt(join(index, 'na/me/a_named'), all.join(''));
    writeAt(join(index, '3/go/a_gox'), line('1.0.0', { name: 'gox' }));
    writeAt(join(index, '2/a_go'), line('1.0.0', { name: 'go', addr: 'short' }));
    writeAt(join(index, 'da/ma/a_damaged'), '{');
    const found = (text: string) => imageInIndex(index, registryName(text));
    expect(await found('a/named')).toBe('image:1.10.0');
    expect(await found('a/named@1.9.0')).toBe('image:1.9.0');
    expect(await found('a/named@2.0.0')).toBe('image:2.0.0');
    expect(await found('a/gox')).toBe('image:1.0.0');
    expect(await found('a/go')).toBe('short');
    await expect(found('a/named@3.0.0')).rejects.toMatchObject({
      code: 'BUILDPACK_NOT_FOUND',
      next: 'It has nonsense, 1.9.0, 1.10.0.',
    });
    await expect(found('a/nobody')).rejects.toMatchObject({ code: 'BUILDPACK_NOT_FOUND' });
    await expect(found('a/damaged')).rejects.toMatchObject({ code: 'BUILDPACK_MALFORMED' });
  });
});

const withRegistry = hasProgram('docker-registry');
if (!withRegistry)
  process.stderr.write('NOT RUN: buildpacks of a registry, since docker-registry is not installed\n');

describe.runIf(withRegistry)("what is in Debian's registry", () => {
  it('is found by docker://, by a name of the Buildpack Registry and as a builder, each layer checked', async () => {
    await using registry = await startRegistry();
    const label = { 'io.buildpacks.buildpackage.metadata': { id: 'r/one', version: '1.0.0' } };
    const one = writeImage(join(dir, 'registry-one'), { layers: [layer('r1', 'r/one')], labels: label });
    const order = { 'io.buildpacks.buildpack.order': [group('r/two')] };
    const two = writeImage(join(dir, 'registry-two'), { layers: [layer('r2', 'r/two')], labels: order });
    const digest = await pushLayout(one, `${registry.host}/one:v1`, client);
    await pushLayout(two, `${registry.host}/builder:v1`, client);

    const named = { main: { descriptor: { id: 'r/one' } }, digest };
    expect(await acquireCnb(`docker://${registry.host}/one:v1`, 0, parts())).toMatchObject(named);
    const addr = `${registry.host}/one@${digest}`;
    const facts = { ns: 'r', name: 'one', version: '1.0.0', yanked: false, addr };
    writeAt(join(dir, 'public/3/on/r_one'), JSON.stringify(facts));
    const registryIndex = async (): Promise<string> => join(dir, 'public');
    expect(await acquireCnb('urn:cnb:registry:r/one', 0, parts({ registryIndex }))).toMatchObject(named);
    const builder = await acquireBuilder(`${registry.host}/builder:v1`, parts());
    expect(builder).toMatchObject({ order: [[{ id: 'r/two' }]], all: [{ descriptor: { id: 'r/two' } }] });
    for (const gone of [`docker://${registry.host}/one:v2`, `docker://${registry.host}/none@${digest}`])
      await expect(acquireCnb(gone, 0, parts()), gone).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  });

  it('for Cloud Foundry say so, and how to use it here', async () => {
    writeAt(join(dir, 'other/bin/supply'), '');
    await expect(acquireCnb(join(dir, 'other'), 0, parts())).rejects.toMatchObject({
      code: 'BUILDPACK_MALFORMED',
      next: expect.stringContaining('stager buildpack package --cnb'),
    });
  });
});
