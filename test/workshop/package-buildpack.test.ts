import { createHash } from 'node:crypto';
import { chmod, readdir, readFile, symlink, utimes } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import got from 'got';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { openSource } from '../../src/staging/source/open.ts';
import { systemClock } from '../../src/words/clock.ts';
import { type PackageRequest, packageBuildpack } from '../../src/workshop/package-buildpack.ts';
import { tree } from './tree.ts';

const signal = new AbortController().signal;
const BODY = Buffer.from('the dependency');
const sha = (algorithm: string, encoding: 'hex' | 'base64'): string =>
  createHash(algorithm).update(BODY).digest(encoding);
const server = createServer((request, response) => {
  response.writeHead(['/d.tgz', '/arm64.tgz'].includes(request.url ?? '') ? 200 : 404).end(BODY);
});
let origin = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
});
afterAll(() => server.close());

const PACK = {
  VERSION: '1.2.3\n',
  'bin/supply': '#!/bin/sh\n',
  'lib/a.txt': 'a',
  'test/fixtures/x/y': '',
  'notes.txt': 'x',
};

async function make(dir: string, out: string, more: Partial<PackageRequest> = {}) {
  return await packageBuildpack({ dir, out: join(out, 'p.zip'), signal, onWarning: () => {}, ...more });
}

/** Path → content of a zip, with modes. */
async function contents(zip: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const source = await openSource(zip, { ignoreStyle: 'git' });
  for await (const entry of source.entries({ signal })) {
    if (entry.kind === 'symlink') found.set(entry.path, `-> ${entry.target}`);
    if (entry.kind !== 'file' || entry.open === undefined) continue;
    const chunks: Buffer[] = [];
    for await (const chunk of await entry.open()) chunks.push(Buffer.from(chunk));
    found.set(entry.path, Buffer.concat(chunks).toString());
  }
  return found;
}

function offline(cacheDir: string): NonNullable<PackageRequest['offline']> {
  return {
    downloads: { http: got.extend({ retry: { limit: 0 } }), cacheDir, clock: systemClock, signal },
    registries: {
      npm: origin,
      debian: origin,
      'debian-security': origin,
      ubuntu: origin,
      pypi: `${origin}/simple`,
      maven: origin,
      goproxy: origin,
    },
  };
}

const manifest = (checksum: string): string =>
  `language: x\ndependencies:\n  - name: d\n    version: 1.0.0 # kept\n    uri: ${origin}/d.tgz\n    ${checksum}\n    cf_stacks: [cflinuxfs4]\n`;

describe('a package', () => {
  it('has the same bytes whatever the times of the files and the order of their making', async () => {
    await using one = await tree(PACK);
    await using two = await tree(Object.fromEntries(Object.entries(PACK).reverse()));
    await using out = await tree({});
    await utimes(join(two.path, 'lib/a.txt'), 1, 1);
    const first = await make(one.path, out.path);
    const second = await make(two.path, out.path, { out: join(out.path, 'q.zip') });
    expect(second.sha256).toBe(first.sha256);
    expect(await readdir(out.path)).toEqual(['p.zip', 'q.zip']);
    const bytes = await readFile(first.file);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(first.sha256);
    expect(bytes.length).toBe(first.sizeBytes);
  });

  it('changes with what may be run, and not with who else may read', async () => {
    await using pack = await tree(PACK);
    await using out = await tree({});
    const before = await make(pack.path, out.path);
    // The umask of another checkout.
    await chmod(join(pack.path, 'lib/a.txt'), 0o600);
    expect((await make(pack.path, out.path)).sha256).toBe(before.sha256);
    await chmod(join(pack.path, 'lib/a.txt'), 0o700);
    expect((await make(pack.path, out.path)).sha256).not.toBe(before.sha256);
  });

  it('leaves tests out, and names the digest of every file', async () => {
    await using pack = await tree(PACK);
    await using out = await tree({});
    await symlink('a.txt', join(pack.path, 'lib/b'));
    const files = await contents((await make(pack.path, out.path)).file);
    expect([...files.keys()].sort()).toEqual([
      'SHA256SUMS',
      'VERSION',
      'bin/supply',
      'lib/a.txt',
      'lib/b',
      'notes.txt',
    ]);
    expect(files.get('lib/b')).toBe('-> a.txt');
    const digest = createHash('sha256').update('a').digest('hex');
    expect(files.get('SHA256SUMS')).toContain(`${digest}  lib/a.txt\n`);
  });

  it('holds just what include_files names, with VERSION and the manifest', async () => {
    await using pack = await tree({
      ...PACK,
      'manifest.yml': 'language: x\ninclude_files: [bin, lib/*.txt]\n',
    });
    await using out = await tree({});
    const { file } = await make(pack.path, out.path);
    // A source leaves manifest.yml out by itself: that it is there shows in the sums.
    const files = await contents(file);
    expect([...files.keys()].sort()).toEqual(['SHA256SUMS', 'VERSION', 'bin/supply', 'lib/a.txt']);
    expect(files.get('SHA256SUMS')).toContain('  manifest.yml\n');
  });

  it.each([
    ['a listed file that is missing', { 'manifest.yml': 'include_files: [gone]\n' }],
    ['a broken manifest', { 'manifest.yml': 'a: [\n' }],
  ])('is refused with %s, and nothing is left', async (_what, more) => {
    await using pack = await tree({ ...PACK, ...more });
    await using out = await tree({});
    await expect(make(pack.path, out.path)).rejects.toMatchObject({ code: 'BUILDPACK_MALFORMED' });
    expect(await readdir(out.path)).toEqual([]);
  });

  it('is refused with a link that leads out', async () => {
    await using pack = await tree(PACK);
    await using out = await tree({});
    await symlink('/etc/passwd', join(pack.path, 'out'));
    await expect(make(pack.path, out.path)).rejects.toMatchObject({ code: 'BUILDPACK_MALFORMED' });
  });
});

describe('an offline package', () => {
  it.each([
    ['sha256', () => `sha256: ${sha('sha256', 'hex')}`],
    ['integrity', () => `integrity: sha512-${sha('sha512', 'base64')}`],
  ])('has dependencies inside that fit their %s, and says where', async (_name, checksum) => {
    await using pack = await tree({ ...PACK, 'manifest.yml': manifest(checksum()) });
    await using out = await tree({});
    await using cache = await tree({});
    const made = await make(pack.path, out.path, { offline: offline(cache.path), stack: 'cflinuxfs4' });
    expect(made.dependencies).toBe(1);
    const md5 = createHash('md5').update(`${origin}/d.tgz`).digest('hex');
    const files = await contents(made.file);
    expect(files.get(`dependencies/${md5}/d.tgz`)).toBe(BODY.toString());
    // The author's own manifest stays as it was.
    expect(parse(await readFile(join(pack.path, 'manifest.yml'), 'utf8'))).not.toHaveProperty('stack');
    const again = await make(pack.path, out.path, { offline: offline(cache.path), stack: 'cflinuxfs4' });
    expect(again.sha256).toBe(made.sha256);
  });

  it('has what is for one machine, and what is for any', async () => {
    const entries = ['x64', 'arm64'].map((arch) =>
      manifest(`sha256: ${sha('sha256', 'hex')}`)
        .replace(/^.*\n.*\n/, '')
        .replace('d.tgz', `${arch}.tgz`)
        .replace('cf_stacks: [cflinuxfs4]', `arch: ${arch}`),
    );
    const text = `${manifest(`sha256: ${sha('sha256', 'hex')}`)}${entries.join('')}`;
    await using pack = await tree({ ...PACK, 'manifest.yml': text });
    await using out = await tree({});
    await using cache = await tree({});
    const made = await packageBuildpack({
      ...{ dir: pack.path, signal, onWarning: () => {}, arch: 'arm64', offline: offline(cache.path) },
      out: join(out.path, 'p.zip'),
    });
    expect(made.dependencies).toBe(2);
    const names = [...(await contents(made.file)).keys()].filter((name) => name.startsWith('dependencies/'));
    expect(names.map((name) => name.split('/').at(-1)).toSorted()).toEqual(['arm64.tgz', 'd.tgz']);
  });

  it.each([
    ['another checksum', () => `sha256: ${'0'.repeat(64)}`, 'BUILDPACK_CHECKSUM_MISMATCH'],
    [
      'another integrity',
      () => `integrity: sha512-${Buffer.alloc(64).toString('base64')}`,
      'BUILDPACK_CHECKSUM_MISMATCH',
    ],
    ['no checksum', () => 'source: x', 'BUILDPACK_MALFORMED'],
  ])('is refused with %s', async (_what, checksum, code) => {
    await using pack = await tree({ ...PACK, 'manifest.yml': manifest(checksum()) });
    await using out = await tree({});
    await using cache = await tree({});
    await expect(make(pack.path, out.path, { offline: offline(cache.path) })).rejects.toMatchObject({ code });
    expect(await readdir(out.path)).toEqual([]);
  });
});
