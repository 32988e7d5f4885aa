/** Wraps a store and reports how long each call took and how it ended. */
import type { Readable } from 'node:stream';
import { isStagerError } from '../../words/errors.ts';
import type {
  BlobInfo,
  BlobKey,
  BlobKind,
  BlobName,
  BlobStore,
  GetOptions,
  Leftover,
  ListOptions,
  Presigner,
  ProbeReport,
  PutFileOptions,
  PutOptions,
  ReadRangeOptions,
  SweepOptions,
  WholeOptions,
} from './port/blob-store.ts';

/** `failed`: the code of the failure. Of a `get` it is the time until the first byte could be read. */
export type BlobWatcher = (
  operation: 'put' | 'get' | 'stat' | 'delete' | 'list',
  ms: number,
  failed: string | undefined,
) => void;

/** See the top of the file. What is absent is an answer, not a failure. */
export class WatchedStore implements BlobStore {
  readonly #store: BlobStore;
  readonly #watch: BlobWatcher;
  readonly presign?: Presigner;

  constructor(store: BlobStore, watch: BlobWatcher) {
    this.#store = store;
    this.#watch = watch;
    if (store.presign !== undefined) this.presign = store.presign;
  }

  get url(): string {
    return this.#store.url;
  }

  location(key: BlobKey): string {
    return this.#store.location(key);
  }

  put(key: BlobKey, body: Readable, options: PutOptions): Promise<BlobInfo> {
    return this.#timed('put', () => this.#store.put(key, body, options));
  }

  putFile(key: BlobKey, path: string, options: PutFileOptions): Promise<BlobInfo> {
    return this.#timed('put', () => this.#store.putFile(key, path, options));
  }

  get(key: BlobKey, options: GetOptions): ReturnType<BlobStore['get']> {
    return this.#timed('get', () => this.#store.get(key, options));
  }

  readRange(key: BlobKey, options: ReadRangeOptions): Readable {
    const startedAt = performance.now();
    const body = this.#store.readRange(key, options);
    body.once('readable', () => this.#watch('get', performance.now() - startedAt, undefined));
    body.once('error', (error) => this.#failed('get', startedAt, error));
    return body;
  }

  stat(key: BlobKey, options: Parameters<BlobStore['stat']>[1]): Promise<BlobInfo | undefined> {
    return this.#timed('stat', () => this.#store.stat(key, options));
  }

  delete(key: BlobKey, options: Parameters<BlobStore['delete']>[1]): Promise<void> {
    return this.#timed('delete', () => this.#store.delete(key, options));
  }

  list(kind: BlobKind, options: ListOptions): AsyncIterable<BlobInfo> {
    return this.#first('list', this.#store.list(kind, options));
  }

  names(kind: BlobKind, options: ListOptions): AsyncIterable<BlobName> {
    return this.#first('list', this.#store.names(kind, options));
  }

  demandWhole(options: WholeOptions): Promise<void> {
    return this.#store.demandWhole(options);
  }

  now(options: Parameters<BlobStore['now']>[0]): Promise<number> {
    return this.#store.now(options);
  }

  sweep(options: SweepOptions): Promise<readonly Leftover[]> {
    return this.#store.sweep(options);
  }

  probe(options: Parameters<BlobStore['probe']>[0]): Promise<ProbeReport> {
    return this.#store.probe(options);
  }

  async #timed<T>(operation: Parameters<BlobWatcher>[0], call: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      const result = await call();
      this.#watch(operation, performance.now() - startedAt, undefined);
      return result;
    } catch (error) {
      this.#failed(operation, startedAt, error);
      throw error;
    }
  }

  /** The time until the first answer; the rest is the reader's. */
  async *#first<T>(
    operation: Parameters<BlobWatcher>[0],
    items: AsyncIterable<T>,
  ): AsyncGenerator<T, void, void> {
    const startedAt = performance.now();
    let isFirst = true;
    try {
      for await (const item of items) {
        if (isFirst) this.#watch(operation, performance.now() - startedAt, undefined);
        isFirst = false;
        yield item;
      }
      if (isFirst) this.#watch(operation, performance.now() - startedAt, undefined);
    } catch (error) {
      this.#failed(operation, startedAt, error);
      throw error;
    }
  }

  #failed(operation: Parameters<BlobWatcher>[0], startedAt: number, error: unknown): void {
    const code = isStagerError(error) ? error.code : 'UNEXPECTED';
    const isAnswer = code === 'BLOB_NOT_FOUND' || code === 'CANCELLED';
    this.#watch(operation, performance.now() - startedAt, isAnswer ? undefined : code);
  }
}
