/**
 * The port: where bytes rest. One interface, checked by one contract suite that every adapter runs.
 */
import type { Readable } from 'node:stream';
import type { Sha1, Sha256 } from '../ids.ts';

/** Kinds of blobs; the first part of a key. Cloud Controller's names where it has one. */
export type BlobKind = 'packages' | 'droplets' | 'buildpack_cache' | 'buildpacks' | 'resources';

/** Address of a blob inside a store: kind, then a path that the owner of the kind chose (no leading slash). */
export interface BlobKey {
  readonly kind: BlobKind;
  /** Path segments of `[A-Za-z0-9._-]`, separated by `/`. */
  readonly name: string;
}

/** What the store knows of a blob. */
export interface BlobInfo {
  readonly key: BlobKey;
  readonly sizeBytes: number;
  readonly sha1: Sha1;
  readonly sha256: Sha256;
  readonly contentType: string;
  /** Milliseconds since the epoch. */
  readonly modifiedAtMs: number;
}

/** How to put a blob. */
export interface PutOptions {
  readonly contentType: string;
  readonly signal: AbortSignal;
  /** Refuse to publish when what arrived differs. */
  readonly expected?: { readonly sha256?: Sha256; readonly sizeBytes?: number };
  /** Keep what is there already (write-once keys); the body is still read to its end and hashed. */
  readonly ifAbsent?: boolean;
}

/** How to get a blob. */
export interface GetOptions {
  readonly signal: AbortSignal;
  /** Bytes `start` to `end`, both inclusive. A range is not verified by digest. */
  readonly range?: { readonly start: number; readonly end: number };
}

/**
 * Stores blobs. Nothing becomes visible under its key before it is complete and verified; a reader of a whole
 * blob gets a stream that fails with BLOB_CORRUPT at its end when size or sha256 differ.
 *
 * Errors: BLOBSTORE_UNAVAILABLE, BLOBSTORE_DENIED, BLOBSTORE_FULL, BLOB_NOT_FOUND, BLOB_CORRUPT, CANCELLED.
 */
export interface BlobStore {
  /** For people and records; never holds a secret. */
  readonly url: string;
  /** Where a person or another program finds the blob: `file:///…` or `s3://bucket/…`. No secret. */
  location(key: BlobKey): string;
  put(key: BlobKey, body: Readable, options: PutOptions): Promise<BlobInfo>;
  get(key: BlobKey, options: GetOptions): Promise<{ readonly info: BlobInfo; readonly body: Readable }>;
  stat(key: BlobKey, options: { readonly signal: AbortSignal }): Promise<BlobInfo | undefined>;
  /** Deleting what is absent is fine. */
  delete(key: BlobKey, options: { readonly signal: AbortSignal }): Promise<void>;
  /** In key order. */
  list(
    kind: BlobKind,
    options: { readonly signal: AbortSignal; readonly prefix?: string },
  ): AsyncIterable<BlobInfo>;
}
