import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readBundle, unpackBundle, writeBundle } from '../../../src/staging/build-cache/bundle.ts';
import { mirrorsOf } from '../../../src/staging/build-cache/mirror-names.ts';
import { put, scratch } from '../droplet/trees.ts';

const { signal } = new AbortController();
const facts = {
  app: 'web',
  stack: 'host',
  arch: 'x64',
  buildpacks: [{ key: 'nodejs', version: '1.0.0', sha256: 'a'.repeat(64) }],
  variables: { NPM_CONFIG_REGISTRY: 'https://npm.example' },
  dependencies: [{ name: 'node', version: '24.1.0', uri: 'npm:node@24.1.0', checksum: 'sha512:00' }],
};

/** A recorded bundle, and what it is made of. */
async function recorded(): Promise<
  ReturnType<typeof scratch> & { readonly dir: string; readonly tarball: string }
> {
  const root = scratch();
  put(root.at('cache', 'final', 'node.tgz'), 'node');
  const dir = root.at('bundle');
  mkdirSync(dir);
  const { sha256 } = await writeBundle(dir, { cache: root.at('cache'), facts }, { signal });
  return Object.assign(root, { dir, tarball: join(dir, `cache-${sha256}.tar.gz`) });
}

describe('a bundle', () => {
  it('says what it is, and gives back the cache that it was made of', async () => {
    using root = await recorded();
    const bundle = await readBundle(root.dir);
    expect(bundle).toMatchObject(facts);
    await unpackBundle(root.dir, bundle, { cache: root.at('restored'), signal });
    expect(readFileSync(root.at('restored', 'final', 'node.tgz'), 'utf8')).toBe('node');
  });

  it('that is recorded again replaces the old one, and leaves nothing of it', async () => {
    using root = await recorded();
    put(root.at('cache', 'final', 'more'), 'more');
    const { sha256 } = await writeBundle(root.dir, { cache: root.at('cache'), facts }, { signal });
    expect(readdirSync(root.dir).toSorted()).toEqual(['bundle.json', `cache-${sha256}.tar.gz`]);
  });

  it('stays as it was when the next recording is cancelled', async () => {
    using root = await recorded();
    const before = readdirSync(root.dir).toSorted();
    put(root.at('cache', 'final', 'more'), 'more');
    const cancelled = { signal: AbortSignal.abort(new Error('enough')) };
    await expect(writeBundle(root.dir, { cache: root.at('cache'), facts }, cancelled)).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    expect(readdirSync(root.dir).toSorted()).toEqual(before);
    await expect(readBundle(root.dir)).resolves.toMatchObject(facts);
  });

  it.each([
    // The system that a gzip was made on: no reader cares.
    ['a byte that changed', 'is damaged: sha256', (tarball: string) => flip(tarball, 9)],
    ['a broken archive', "can't be unpacked", (tarball: string) => flip(tarball, 1)],
    ['a missing end', 'is damaged: its tarball has', (tarball: string) => truncateSync(tarball, 40)],
    ['no tarball', 'lacks cache-', (tarball: string) => rmSync(tarball)],
  ])('with %s is refused', async (_what, message, damage) => {
    using root = await recorded();
    damage(root.tarball);
    const use = async (): Promise<void> =>
      unpackBundle(root.dir, await readBundle(root.dir), { cache: root.at('restored'), signal });
    await expect(use()).rejects.toMatchObject({
      code: 'BUNDLE_INVALID',
      message: expect.stringContaining(message),
    });
  });

  it('with the tarball of another one is refused, though that is whole', async () => {
    using root = await recorded();
    using other = await recorded();
    put(other.at('cache', 'final', 'node.tgz'), 'another one');
    const bundle = await readBundle(root.dir);
    const { sha256 } = await writeBundle(other.dir, { cache: other.at('cache'), facts }, { signal });
    copyFileSync(join(other.dir, `cache-${sha256}.tar.gz`), root.tarball);
    await expect(
      unpackBundle(root.dir, bundle, { cache: root.at('restored'), signal }),
    ).rejects.toMatchObject({
      code: 'BUNDLE_INVALID',
    });
  });

  it.each([
    ['of a later form', { format: 2 }],
    ['with a path for a digest', { sha256: '../../etc/passwd' }],
    ['with a variable that names no registry', { variables: { LD_PRELOAD: '/x.so' } }],
  ])('%s is refused', async (_what, change) => {
    using root = await recorded();
    const document: object = JSON.parse(readFileSync(join(root.dir, 'bundle.json'), 'utf8'));
    writeFileSync(join(root.dir, 'bundle.json'), JSON.stringify({ ...document, ...change }));
    await expect(readBundle(root.dir)).rejects.toMatchObject({ code: 'BUNDLE_INVALID' });
  });

  it('has the addresses of registries, without the passwords in them', () => {
    const env = {
      GOPROXY: 'https://me:secret@go.example,direct',
      STAGER_DEBIAN_MIRROR: 'https://debian.example',
      AWS_SECRET: 'x',
    };
    expect(mirrorsOf(env)).toEqual({
      GOPROXY: 'https://go.example,direct',
      STAGER_DEBIAN_MIRROR: 'https://debian.example',
    });
  });
});

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  writeFileSync(file, bytes);
}
