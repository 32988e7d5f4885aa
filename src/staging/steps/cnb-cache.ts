/**
 * Layers between stagings with Cloud Native Buildpacks: each is a blob named by the digest of its tree, and a small
 * document, written last, says which belong to the last build. A cache only saves time: whatever is wrong with a part
 * is a warning, and that part is made again.
 */
import { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { BlobKey } from '../../stores/blobs/port/blob-store.ts';
import { errnoOf, isStagerError } from '../../words/errors.ts';
import type { StoredBlob } from '../../words/staging-record.ts';
import { formatCount, MEBIBYTE } from '../../words/units.ts';
import {
  type CachedLayer,
  type CacheIndex,
  comesBack,
  indexText,
  MAX_INDEX_BYTES,
  metadataText,
  readIndex,
  storeText,
} from '../cnb/cnb-cache-index.ts';
import { escapedId } from '../cnb/cnb-descriptor.ts';
import type { CnbDirectory } from '../cnb/cnb-directory.ts';
import type { CnbHome } from '../cnb/cnb-home.ts';
import { type BuiltCnb, layersDirectory, type ReuseLayer } from '../cnb/cnb-layers.ts';
import { SBOM_DIRECTORY } from '../cnb/cnb-sbom.ts';
import { buildCacheContents } from '../droplet/contents.ts';
import { DEFAULT_COMPRESSION, tarballContentType } from '../droplet/pack/compression.ts';
import { packTarball } from '../droplet/pack/tarball.ts';
import { fingerprintTree } from '../droplet/pack/tree-fingerprint.ts';
import { storedBlob } from '../droplet/store.ts';
import { unpackTarball } from '../droplet/unpack/unpack.ts';
import type { Staging } from './staging.ts';

const EMPTY: CacheIndex = { format: 1, buildpacks: [] };

/** The cache of one staging. */
export class CnbCache {
  readonly #staging: Staging;
  readonly #home: CnbHome;
  readonly #prefix: string;
  #last: CacheIndex = EMPTY;
  /** Digests whose blobs can't be read: they are stored again. */
  readonly #broken = new Set<string>();

  constructor(staging: Staging, home: CnbHome) {
    this.#staging = staging;
    this.#home = home;
    const { app, stack } = staging.request;
    this.#prefix = [app.guid, stack].map((it) => it.replace(/[^A-Za-z0-9._-]/g, '_')).join('/');
  }

  /** Puts back what the buildpacks of this build left last time. */
  async restore(group: readonly CnbDirectory[]): Promise<void> {
    const { phases, request } = this.#staging;
    if (request.cache !== 'use') return;
    this.#last = (await this.#soft('the build cache', () => this.#readIndex())) ?? EMPTY;
    if (this.#last.buildpacks.length === 0) return;
    await phases.run(
      { name: 'restore-cache' },
      async () => {
        let restored = 0;
        for (const buildpack of group) restored += await this.#restoreOne(buildpack);
        await this.#soft('bills of materials', () => this.#restoreSboms(group));
        return restored;
      },
      (restored) => formatCount(restored, 'layer'),
    );
  }

  /** Content of a layer for launch whose buildpack left it as it was. */
  readonly reuse: ReuseLayer = async (buildpack, name) => {
    const layer = this.#layersOf(buildpack)[name];
    if (layer?.launch !== true) return false;
    return await this.#fetch(layer, buildpack, name);
  };

  /** Stores what is cached or launched. A layer that is stored already is not stored again. */
  async save(built: readonly BuiltCnb[]): Promise<StoredBlob | undefined> {
    const { phases, request } = this.#staging;
    if (request.cache === 'none') return undefined;
    return await phases.run(
      { name: 'save-cache' },
      () => this.#soft('the build cache', () => this.#save(built)),
      (saved) => (saved === undefined ? 'not kept' : undefined),
    );
  }

  async #save(built: readonly BuiltCnb[]): Promise<StoredBlob> {
    const { signal, ports } = this.#staging;
    const buildpacks: CacheIndex['buildpacks'] = [];
    for (const one of built) {
      const layers: Record<string, CachedLayer> = {};
      for (const [name, { launch, build, cache, metadata }] of one.layers) {
        if (comesBack({ launch, build, cache }) === 'nothing') continue;
        const digest = await this.#keep(one, name, cache);
        if (digest === undefined) continue;
        layers[name] = { digest, launch, build, cache, metadata: metadataText(metadata) };
      }
      const store = one.store === undefined ? undefined : storeText(one.store);
      buildpacks.push({ id: one.buildpack.descriptor.id, layers, ...(store !== undefined && { store }) });
    }
    const sbom = (await this.#home.isDirectory(SBOM_DIRECTORY)) ? await this.#put(SBOM_DIRECTORY) : undefined;
    const index = indexText({ buildpacks, ...(sbom !== undefined && { sbom }) });
    const info = await ports.blobs.put(this.#indexKey(), Readable.from([Buffer.from(index)]), {
      contentType: 'application/json',
      signal,
    });
    await this.#dropOthers(new Set([...digestsOf(buildpacks), ...(sbom === undefined ? [] : [sbom])]));
    return storedBlob(info, ports.blobs);
  }

  /** The digest of a layer that is stored; undefined for one without content. */
  async #keep({ buildpack }: BuiltCnb, name: string, cache: boolean): Promise<string | undefined> {
    const path = `${layersDirectory(buildpack)}/${name}`;
    if (await this.#home.isDirectory(path))
      return await this.#soft(`the layer ${name}`, () => this.#put(path));
    // For launch, and left as it was.
    const last = this.#layersOf(buildpack)[name];
    if (!cache) return last?.launch === true && !this.#broken.has(last.digest) ? last.digest : undefined;
    const who = `${buildpack.descriptor.id}:${name}`;
    this.#staging.warn('build-cache-not-kept', `the layer ${who} is not cached: it has no content`);
    return undefined;
  }

  /** Stores a directory of the home under the digest of its tree. */
  async #put(inside: string): Promise<string> {
    const { ports, request, signal } = this.#staging;
    const contents = buildCacheContents(await this.#home.real(inside));
    const digest = await fingerprintTree(contents, { signal });
    const key = this.#layerKey(digest);
    if (!this.#broken.has(digest) && (await ports.blobs.stat(key, { signal })) !== undefined) return digest;
    const { compression = DEFAULT_COMPRESSION } = request;
    const { body } = packTarball(contents, { signal, compression, memberCache: ports.memberCache });
    await ports.blobs.put(key, body, { contentType: tarballContentType(compression), signal });
    return digest;
  }

  async #dropOthers(kept: ReadonlySet<string>): Promise<void> {
    const { ports, signal } = this.#staging;
    const prefix = this.#layerKey('').name;
    for await (const { key } of ports.blobs.names('buildpack_cache', { signal, prefix })) {
      if (!kept.has(key.name.slice(prefix.length))) await ports.blobs.delete(key, { signal });
    }
  }

  async #readIndex(): Promise<CacheIndex | undefined> {
    const { ports, signal } = this.#staging;
    const stored = await ports.blobs.stat(this.#indexKey(), { signal });
    if (stored === undefined || stored.sizeBytes > MAX_INDEX_BYTES) return undefined;
    const { body } = await ports.blobs.get(this.#indexKey(), { signal });
    return readIndex(await text(body));
  }

  async #restoreOne(buildpack: CnbDirectory): Promise<number> {
    const { owner } = this.#staging.ports.sandbox;
    const directory = layersDirectory(buildpack);
    let restored = 0;
    for (const [name, layer] of Object.entries(this.#layersOf(buildpack))) {
      const what = comesBack(layer);
      const isThere =
        what === 'content'
          ? await this.#fetch(layer, buildpack, name)
          : what === 'metadata' && (await this.#isIntact(layer, name));
      if (!isThere) continue;
      await this.#home.write(`${directory}/${name}.toml`, layer.metadata, owner);
      restored += 1;
    }
    const store = this.#entryOf(buildpack)?.store;
    if (store !== undefined) await this.#home.write(`${directory}/store.toml`, store, owner);
    return restored;
  }

  /** Those of layers that are back, beside them, as their buildpack had written them. */
  async #restoreSboms(group: readonly CnbDirectory[]): Promise<void> {
    const digest = this.#last.sbom;
    if (digest === undefined) return;
    const { owner } = this.#staging.ports.sandbox;
    await this.#unpack(digest, SBOM_DIRECTORY);
    for (const kind of ['cache', 'launch']) {
      for (const buildpack of group) {
        const from = `${SBOM_DIRECTORY}/${kind}/${escapedId(buildpack.descriptor.id)}`;
        const to = layersDirectory(buildpack);
        const there = new Set((await this.#home.names(to)).map(({ name }) => name));
        for (const { name, isDirectory } of await this.#home.names(from)) {
          if (!isDirectory || !there.has(`${name}.toml`)) continue;
          for (const file of await this.#home.names(`${from}/${name}`)) {
            const copy = `${name}.${file.name}`;
            if (there.has(copy)) continue;
            await this.#home.copy(`${from}/${name}/${file.name}`, `${to}/${copy}`, owner);
            there.add(copy);
          }
        }
      }
    }
    await this.#home.remove(SBOM_DIRECTORY);
  }

  /** Unpacks a layer; false when it can't be, and then nothing is there. */
  async #fetch({ digest }: CachedLayer, buildpack: CnbDirectory, name: string): Promise<boolean> {
    const inside = `${layersDirectory(buildpack)}/${name}`;
    const done = await this.#soft(`the layer ${name}`, async () => {
      await this.#unpack(digest, inside);
      return true;
    });
    if (done === true) return true;
    this.#broken.add(digest);
    await this.#home.remove(inside);
    return false;
  }

  async #unpack(digest: string, inside: string): Promise<void> {
    const { ports, request, signal } = this.#staging;
    const { owner } = ports.sandbox;
    const { body } = await ports.blobs.get(this.#layerKey(digest), { signal });
    const dest = await this.#home.make(inside, owner);
    const limits = { bytes: request.diskMb * MEBIBYTE };
    await unpackTarball(body, dest, { signal, owner, limits, what: 'a layer of the build cache' });
  }

  /** Whether a layer could be brought back later, by reading it. */
  async #isIntact({ digest }: CachedLayer, name: string): Promise<boolean> {
    const { ports, signal } = this.#staging;
    const read = await this.#soft(`the layer ${name}`, async () => {
      const { body } = await ports.blobs.get(this.#layerKey(digest), { signal });
      await pipeline(body, new Writable({ write: (_chunk, _encoding, done) => done() }), { signal });
      return true;
    });
    if (read !== true) this.#broken.add(digest);
    return read === true;
  }

  #entryOf({ descriptor }: CnbDirectory): CacheIndex['buildpacks'][number] | undefined {
    return this.#last.buildpacks.find(({ id }) => id === descriptor.id);
  }

  #layersOf(buildpack: CnbDirectory): Readonly<Record<string, CachedLayer>> {
    return this.#entryOf(buildpack)?.layers ?? {};
  }

  #indexKey(): BlobKey {
    return { kind: 'buildpack_cache', name: `${this.#prefix}/cnb.json` };
  }

  #layerKey(digest: string): BlobKey {
    return { kind: 'buildpack_cache', name: `${this.#prefix}/cnb/${digest}` };
  }

  /** Runs `step`; what fails is a warning, and undefined. @throws StagerError CANCELLED, and a bug of ours. */
  async #soft<T>(what: string, step: () => Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      if (this.#staging.signal.aborted) throw error;
      const expected = isStagerError(error) || errnoOf(error) !== undefined;
      if (!expected || !(error instanceof Error)) throw error;
      const message = `${what} of the last build can't be used or kept: ${error.message}`;
      this.#staging.warn('build-cache-ignored', message);
      return undefined;
    }
  }
}

const digestsOf = (buildpacks: CacheIndex['buildpacks']): readonly string[] =>
  buildpacks.flatMap(({ layers }) => Object.values(layers).map(({ digest }) => digest));
