/**
 * Reading resources out of packs. Contents lie in their packs in the order of paths in which they were packaged, and
 * are mostly read in that order; so packs are read in chunks that serve many small resources with one request.
 */

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { sha256Of } from '../../words/digest.ts';
import { isStagerError, StagerError } from '../../words/errors.ts';
import type { BlobStore } from '../blobs/port/blob-store.ts';
import { corrupt } from '../blobs/port/verify.ts';
import type { LocatedResource } from './format.ts';
import { packKey } from './layout.ts';
import { LARGE_BYTES } from './pack-writer.ts';

const CHUNK_BYTES = 4 << 20;
/** Chunks kept: 32 MiB. */
const CHUNKS = 8;

/** Reads of one package; holds a few chunks, so let it go when the package has been read. */
export class PackReader {
  readonly #store: BlobStore;
  readonly #tenant: string;
  readonly #signal: AbortSignal;
  readonly #chunks = new Map<string, Promise<Buffer>>();

  constructor(io: { readonly store: BlobStore; readonly tenant: string; readonly signal: AbortSignal }) {
    this.#store = io.store;
    this.#tenant = io.tenant;
    this.#signal = io.signal;
  }

  /** The content, verified: the stream fails with BLOB_CORRUPT or RESOURCE_MISSING instead of ending. */
  open(resource: LocatedResource): Readable {
    const chunks = resource.sizeBytes >= LARGE_BYTES ? this.#direct(resource) : this.#fromChunks(resource);
    return Readable.from(this.#verified(resource, chunks), { objectMode: false });
  }

  async *#verified(
    resource: LocatedResource,
    chunks: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array, void, void> {
    const hash = createHash('sha256');
    try {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    } catch (error) {
      throw isStagerError(error, 'BLOB_NOT_FOUND') ? this.#missing(resource, error) : error;
    }
    if (sha256Of(hash) === resource.sha256) return;
    throw corrupt(
      this.#store.location(packKey(this.#tenant, resource.pack)),
      'a resource in it has another sha256',
      {
        expected: resource.sha256,
        offset: resource.offset,
      },
    );
  }

  async *#direct({ pack, offset, sizeBytes }: LocatedResource): AsyncGenerator<Uint8Array, void, void> {
    const range = { start: offset, end: offset + sizeBytes - 1, signal: this.#signal };
    yield* this.#store.readRange(packKey(this.#tenant, pack), range);
  }

  async *#fromChunks(resource: LocatedResource): AsyncGenerator<Uint8Array, void, void> {
    const { pack, offset, sizeBytes } = resource;
    const end = offset + sizeBytes;
    for (let at = offset; at < end; ) {
      const number = Math.floor(at / CHUNK_BYTES);
      const chunk = await this.#chunk(resource, number);
      const from = at - number * CHUNK_BYTES;
      const piece = chunk.subarray(from, Math.min(chunk.length, end - number * CHUNK_BYTES));
      if (piece.length === 0)
        throw corrupt(this.#store.location(packKey(this.#tenant, pack)), 'it is too short');
      at += piece.length;
      yield piece;
    }
  }

  #chunk({ pack, packBytes }: LocatedResource, number: number): Promise<Buffer> {
    const name = `${pack}/${number}`;
    const known = this.#chunks.get(name);
    if (known !== undefined) {
      // Used again: moves to the young end.
      this.#chunks.delete(name);
      this.#chunks.set(name, known);
      return known;
    }
    const start = number * CHUNK_BYTES;
    const end = Math.min(start + CHUNK_BYTES, packBytes) - 1;
    const chunk = buffer(
      this.#store.readRange(packKey(this.#tenant, pack), { start, end, signal: this.#signal }),
    );
    chunk.catch(() => this.#chunks.delete(name));
    this.#chunks.set(name, chunk);
    const [oldest] = this.#chunks.keys();
    if (this.#chunks.size > CHUNKS && oldest !== undefined) this.#chunks.delete(oldest);
    return chunk;
  }

  /** A resource that the pool said it had is gone. */
  #missing({ sha1, pack }: LocatedResource, cause: unknown): StagerError {
    const location = this.#store.location(packKey(this.#tenant, pack));
    return new StagerError(
      'RESOURCE_MISSING',
      `the resource with sha1 ${sha1} is gone with its pack ${location}`,
      {
        next: 'Create the package again (`stager package create`): what is missing will be sent.',
        details: { sha1, pack, location },
        cause,
      },
    );
  }
}
