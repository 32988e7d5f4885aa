/** The directory adapter of the blob store. fs-layout.ts says how it keeps blobs and why. */
import { type FileHandle, lstat, open, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { cancelled, errnoOf, StagerError } from '../../../words/errors.ts';
import type {
  BlobInfo,
  BlobKey,
  BlobKind,
  BlobName,
  BlobStore,
  GetOptions,
  Leftover,
  ListOptions,
  ProbeReport,
  PutFileOptions,
  PutOptions,
  ReadRangeOptions,
  SweepOptions,
  WholeOptions,
} from '../port/blob-store.ts';
import type { Digests } from '../port/digests.ts';
import { checkKey } from '../port/key.ts';
import { checkExpected, corrupt, verifiedChunks } from '../port/verify.ts';
import { absent, displacedBy, storeError } from './errors.ts';
import { dataName, dataPath, infoOf, linkPath, parseDataName } from './layout.ts';
import { listKind } from './list.ts';
import { checkKind, checkStore, markKind } from './marker.ts';
import { dataExists, pruneAbove, publishData, publishKey, readKey, removeData } from './publish.ts';
import { blocks, cancellable, digestDurably } from './read.ts';
import { findLeftovers, storeTime, sweepDeadOwners } from './sweep.ts';
import { dropTemp, openTemp, probeDirectory, shareFile, writeHashed } from './write.ts';

/** A key can be replaced between reading its link and opening its data; more often in a row it is not a race. */
const RACES = 20;

/** A blob store in a directory, made at the first put. `root` is absolute. */
export class DirectoryBlobStore implements BlobStore {
  readonly url: string;
  readonly #root: string;
  #swept: Promise<void> | undefined;
  readonly #marked = new Map<BlobKind, Promise<void>>();

  constructor(root: string) {
    this.#root = root;
    this.url = pathToFileURL(root).href;
  }

  location(key: BlobKey): string {
    checkKey(key);
    return pathToFileURL(linkPath(this.#root, key)).href;
  }

  async put(key: BlobKey, body: Readable, options: PutOptions): Promise<BlobInfo> {
    const location = this.location(key);
    return this.#guard('storing', location, async () => {
      await this.#beforeWrite(key.kind).catch((error: unknown) => {
        body.destroy();
        throw error;
      });
      const temp = await openTemp(this.#root).catch((error: unknown) => {
        body.destroy();
        throw error;
      });
      try {
        const digests = await writeHashed(body, temp.handle, options.signal);
        return await this.#publish(key, { path: temp.path, digests }, options);
      } finally {
        await temp.dispose();
      }
    });
  }

  async putFile(key: BlobKey, path: string, options: PutFileOptions): Promise<BlobInfo> {
    const location = this.location(key);
    const shared = await this.#guard('storing', location, async () => {
      await this.#beforeWrite(key.kind);
      return await shareFile(this.#root, path, { immutable: options.immutable === true });
    });
    if (shared === undefined) {
      const handle = await open(path, 'r');
      return this.put(key, Readable.from(blocks(handle, { start: 0 }), { objectMode: false }), options);
    }
    return this.#guard('storing', location, async () => {
      try {
        const digests = await digestDurably(shared, options.signal);
        return await this.#publish(key, { path: shared, digests }, options);
      } finally {
        await dropTemp(shared);
      }
    });
  }

  async get(
    key: BlobKey,
    options: GetOptions,
  ): Promise<{ readonly info: BlobInfo; readonly body: Readable }> {
    const location = this.location(key);
    return this.#guard('reading', location, async () => {
      const { info, handle } = await this.#open(key, location);
      const { range, signal } = options;
      if (signal.aborted) {
        await handle.close();
        throw cancelled(signal);
      }
      const raw = blocks(handle, range === undefined ? { start: 0 } : range);
      const chunks = range === undefined ? verifiedChunks(raw, info, location) : raw;
      return { info, body: Readable.from(cancellable(chunks, signal), { objectMode: false }) };
    });
  }

  readRange(key: BlobKey, { signal, start, end }: ReadRangeOptions): Readable {
    const location = this.location(key);
    const read = async function* (store: DirectoryBlobStore): AsyncGenerator<Uint8Array, void, void> {
      const { body } = await store.get(key, { signal, range: { start, end } });
      let missing = end + 1 - start;
      for await (const chunk of body) {
        missing -= chunk.byteLength;
        yield chunk;
      }
      if (missing > 0) throw corrupt(location, 'it ends before the bytes asked for', { start, end, missing });
    };
    return Readable.from(read(this), { objectMode: false });
  }

  async stat(key: BlobKey, _options: { readonly signal: AbortSignal }): Promise<BlobInfo | undefined> {
    return this.#guard('looking at', this.location(key), async () => {
      for (let race = 0; race < RACES; race++) {
        const name = await readKey(this.#root, key);
        if (name === undefined) return undefined;
        const record = parseDataName(name);
        const info = await lstat(linkPath(this.#root, key)).catch(ignoreAbsent);
        if (record !== undefined && info !== undefined && (await dataExists(this.#root, name))) {
          return infoOf(key, record, info.mtimeMs);
        }
      }
      return undefined;
    });
  }

  async delete(key: BlobKey, _options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#guard('deleting', this.location(key), async () => {
      const name = await readKey(this.#root, key);
      // The link first: data without a link is swept, a link without data would be a broken blob.
      await rm(linkPath(this.#root, key), { force: true }).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOTDIR') throw error;
      });
      if (name !== undefined) await removeData(this.#root, name);
      await pruneAbove(this.#root, key);
    });
  }

  async *list(kind: BlobKind, options: ListOptions): AsyncIterable<BlobInfo> {
    try {
      yield* listKind(this.#root, kind, options);
    } catch (error) {
      throw storeError(error, 'listing', `${this.url}/${kind}`);
    }
  }

  names(kind: BlobKind, options: ListOptions): AsyncIterable<BlobName> {
    return this.list(kind, options);
  }

  async sweep(options: SweepOptions): Promise<readonly Leftover[]> {
    return this.#guard('sweeping', this.url, () => findLeftovers(this.#root, options));
  }

  async demandWhole(_options: WholeOptions): Promise<void> {
    await this.#guard('looking at', this.url, () => checkStore(this.#root));
  }

  now(): Promise<number> {
    return storeTime(this.#root);
  }

  async probe(_options: { readonly signal: AbortSignal }): Promise<ProbeReport> {
    return await probeDirectory(this.#root);
  }

  /** Data, then link; then makes sure that no sweep took the data in between, and drops what was replaced. */
  async #publish(
    key: BlobKey,
    file: { readonly path: string; readonly digests: Digests },
    options: PutOptions,
  ): Promise<BlobInfo> {
    checkExpected(file.digests, options, this.location(key));
    if (options.signal.aborted) throw cancelled(options.signal);
    for (let race = 0; race < RACES; race++) {
      const info = await this.#publishOnce(key, file, options);
      if (info !== undefined) return info;
    }
    throw new StagerError('BLOBSTORE_UNAVAILABLE', `${this.location(key)} was swept while it was stored`, {
      next: 'Store it again, and sweep with a larger minimum age.',
    });
  }

  /** Undefined when a sweep took the data before the link named it. */
  async #publishOnce(
    key: BlobKey,
    { path, digests }: { readonly path: string; readonly digests: Digests },
    options: PutOptions,
  ): Promise<BlobInfo | undefined> {
    const before = await readKey(this.#root, key);
    const name = dataName(digests, options.contentType);
    await publishData(this.#root, path, name);
    await publishKey(this.#root, key, name);
    if (before !== undefined) await removeData(this.#root, before);
    const info = await this.stat(key, options);
    if (info !== undefined) return info;
    if ((await readKey(this.#root, key)) === name) return undefined;
    // It was there, and somebody deleted it since.
    return infoOf(key, { ...digests, contentType: options.contentType }, Date.now());
  }

  async #open(key: BlobKey, location: string): Promise<{ info: BlobInfo; handle: FileHandle }> {
    for (let race = 0; race < RACES; race++) {
      const info = await this.stat(key, { signal: new AbortController().signal });
      const name = info === undefined ? undefined : await readKey(this.#root, key);
      const record = parseDataName(name ?? '');
      if (info === undefined || name === undefined || record === undefined) break;
      const handle = await open(dataPath(this.#root, name), 'r').catch(ignoreAbsent);
      if (handle === undefined) continue;
      const { size } = await handle.stat();
      if (size === record.sizeBytes) return { info: infoOf(key, record, info.modifiedAtMs), handle };
      await handle.close();
      throw corrupt(location, 'its length is not the recorded one', {
        limit: record.sizeBytes,
        actual: size,
      });
    }
    if (key.kind !== 'buildpack_cache') await checkKind(this.#root, key.kind);
    throw await absent(this.#root, key, location);
  }

  async #beforeWrite(kind: BlobKind): Promise<void> {
    const marked = this.#marked.get(kind) ?? markKind(this.#root, kind);
    this.#marked.set(kind, marked);
    // The next write tries again.
    marked.catch(() => this.#marked.delete(kind));
    await marked;
    this.#swept ??= sweepDeadOwners(this.#root).catch(() => undefined);
    await this.#swept;
  }

  async #guard<T>(doing: string, location: string, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      throw (await displacedBy(this.#root, error)) ?? storeError(error, doing, location);
    }
  }
}

function ignoreAbsent(error: unknown): undefined {
  if (errnoOf(error) === 'ENOENT') return undefined;
  throw error;
}
