/**
 * The port: where bytes are stored. One interface, checked by one contract suite that every adapter runs.
 */
import type { Readable } from 'node:stream';
import type { Sha1, Sha256 } from '../../../words/ids.ts';

/** Kinds of blobs; the first part of a key. Cloud Controller's names where it has one. */
export type BlobKind = 'packages' | 'droplets' | 'buildpack_cache' | 'buildpacks' | 'resources';

/** Address of a blob inside a store: kind, then a path that the owner of the kind chose (no leading slash). */
export interface BlobKey {
  readonly kind: BlobKind;
  /** Path segments of `[A-Za-z0-9._-]`, separated by `/`. No name may be another one's directory. */
  readonly name: string;
}

/** A blob as a listing shows it: without the digests, which cost a request each on some stores. */
export interface BlobName {
  readonly key: BlobKey;
  readonly sizeBytes: number;
  /** Milliseconds since the epoch. */
  readonly modifiedAtMs: number;
  /** The key is there and its bytes are not. */
  readonly dangling?: true;
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
}

/** How to get a blob. */
export interface GetOptions {
  readonly signal: AbortSignal;
  /** Bytes `start` to `end`, both inclusive. A range is not verified by digest. */
  readonly range?: { readonly start: number; readonly end: number };
}

/** Which bytes to read. */
export interface ReadRangeOptions {
  readonly signal: AbortSignal;
  readonly start: number;
  readonly end: number;
}

/** How to list: only names that start with `prefix`. */
export interface ListOptions {
  readonly signal: AbortSignal;
  readonly prefix?: string;
  /** Also keys that have lost their bytes, where a store can have such; for every other call they are absent. */
  readonly dangling?: true;
}

/** How to put a file that is on this host already. */
export interface PutFileOptions extends PutOptions {
  /**
   * The file will never be written again, so the store may keep a hard link to it. Without this a reflink is
   * tried, then a copy is made.
   */
  readonly immutable?: boolean;
}

/** How to look at a store as a whole. */
export interface WholeOptions {
  readonly signal: AbortSignal;
  /** Leave no mark where there is none yet. */
  readonly dryRun?: boolean;
}

/** How to sweep what writers left that did not finish. */
export interface SweepOptions {
  readonly signal: AbortSignal;
  /** Leave alone what is younger, in milliseconds: its writer may be at work elsewhere. */
  readonly minAgeMs: number;
  /**
   * When the caller began to look at who is at work (milliseconds since the epoch): what was begun after that is left
   * alone, however small the minimum age is.
   */
  readonly beganMs?: number;
  /** Say what would go, remove nothing. */
  readonly dryRun?: boolean;
}

/** Something that a writer left which did not finish: never visible under a key. */
export interface Leftover {
  readonly what: 'temporary file' | 'unreferenced data' | 'unfinished upload' | 'unreferenced record';
  /** Where it is, for people. */
  readonly location: string;
  readonly sizeBytes: number;
  readonly ageMs: number;
}

/** How to sign a URL. */
export interface PresignOptions {
  readonly signal: AbortSignal;
  /** How long the URL works, in seconds. */
  readonly expiresInSeconds: number;
}

/** What a client that was given a PUT URL has to send: the store checks that the bytes are the ones promised. */
export interface PresignPutOptions extends PresignOptions {
  readonly contentType: string;
  readonly sha1: Sha1;
  readonly sha256: Sha256;
  readonly sizeBytes: number;
}

/** A request that works without credentials until it expires. The URL *is* a secret: never log it. */
export interface PresignedRequest {
  readonly method: 'GET' | 'PUT';
  readonly url: string;
  /** Headers that the client must send as they are. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Stores that can hand out URLs to others. */
export interface Presigner {
  get(key: BlobKey, options: PresignOptions): Promise<PresignedRequest>;
  put(key: BlobKey, options: PresignPutOptions): Promise<PresignedRequest>;
}

/** What {@link BlobStore.probe} found. */
export interface ProbeReport {
  readonly readable: boolean;
  readonly writable: boolean;
  /** Facts for `stager doctor`, one sentence each; no secret. */
  readonly notes: readonly string[];
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
  /**
   * Bytes `start` to `end` (inclusive, inside the blob) of a blob that is never replaced: one request where the store
   * is remote. Not verified, so the caller must. The stream fails with BLOB_NOT_FOUND when the blob is absent.
   */
  readRange(key: BlobKey, options: ReadRangeOptions): Readable;
  stat(key: BlobKey, options: { readonly signal: AbortSignal }): Promise<BlobInfo | undefined>;
  /** Deleting what is absent is fine. */
  delete(key: BlobKey, options: { readonly signal: AbortSignal }): Promise<void>;
  /** In the order of their paths in the store (docs/blobstore.md), the same in every adapter. */
  list(kind: BlobKind, options: ListOptions): AsyncIterable<BlobInfo>;
  /** As {@link list}, without digests: one request for a thousand blobs where the store is remote. */
  names(kind: BlobKind, options: ListOptions): AsyncIterable<BlobName>;
  /** As {@link put} for a file on this host; shares its blocks where the file system can. */
  putFile(key: BlobKey, path: string, options: PutFileOptions): Promise<BlobInfo>;
  /**
   * Makes sure that what is stored can be listed, for whoever takes what is not listed for unneeded.
   *
   * @throws StagerError BLOBSTORE_UNAVAILABLE when nothing was ever stored there, or something that was can't be seen;
   * CONFIG_INVALID when the store is inside another one.
   */
  demandWhole(options: WholeOptions): Promise<void>;
  /** The time by the store's own clock, which dates its blobs; milliseconds since the epoch. */
  now(options: { readonly signal: AbortSignal }): Promise<number>;
  /** Removes what unfinished writers left, and tells what that was. Safe beside writers and readers. */
  sweep(options: SweepOptions): Promise<readonly Leftover[]>;
  /** Whether the store can be read and written, without leaving anything behind. Never throws for a refusal. */
  probe(options: { readonly signal: AbortSignal }): Promise<ProbeReport>;
  /** Present where the store can hand out URLs. */
  readonly presign?: Presigner;
}
