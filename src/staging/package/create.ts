/** Turning a source into a package: fingerprint, match, send what is missing, then publish the listing. */
import { setImmediate } from 'node:timers/promises';
import { heldEntries, letGo } from '../../machine/host/heap-growth.ts';
import { withLease } from '../../stores/blobs/lease.ts';
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import type { Digests } from '../../stores/blobs/port/digests.ts';
import { Pool } from '../../stores/resource-cache/pool.ts';
import { StagerError, throwIfCancelled } from '../../words/errors.ts';
import { type Guid, newGuid, type Sha256 } from '../../words/ids.ts';
import type { Source, SourceEntry } from '../source/entry.ts';
import { fingerprintFile, fingerprintStream, SCRATCH_BYTES } from './fingerprint.ts';
import {
  contentDigest,
  encodeListing,
  LISTING_TYPE,
  type ListedEntry,
  type ListedFile,
  type ListingHeader,
  packageKey,
} from './listing.ts';
import { sendMissing } from './send.ts';
import { StatCache, statOf } from './stat-cache.ts';

/** The tenant of a store that one person or one CI job uses alone. */
export const DEFAULT_TENANT = 'local';
/** The event loop turns at least this often while small files are read. */
const TURN_MS = 20;

/** How to create a package. */
export interface CreateOptions {
  readonly store: BlobStore;
  readonly signal: AbortSignal;
  /** Whose pool; default {@link DEFAULT_TENANT}. */
  readonly tenant?: string;
  /** App guid or name, for retention. */
  readonly app?: string;
  /** File of the stat cache; without it every file is read. */
  readonly statCachePath?: string;
  /** Entries beside the source's, which they override: matched resources of an upload. Their content is known. */
  readonly extra?: readonly ListedEntry[];
  /** Gets what the package lists, before any of it is sent. */
  readonly onListed?: (listed: {
    readonly entries: readonly ListedEntry[];
    readonly hostRoot?: string;
  }) => void;
  /** Called now and then. */
  readonly onProgress?: (progress: CreateProgress) => void;
}

/** How far it is. */
export type CreateProgress =
  | { readonly step: 'fingerprint'; readonly files: number; readonly bytes: number }
  | { readonly step: 'send'; readonly bytes: number; readonly totalBytes: number };

/** What happened. Counts files, of which equal contents are sent once; bytes are of contents. */
export interface PackageResult {
  readonly guid: Guid;
  /** Of the listing; no secret. */
  readonly location: string;
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly bytes: number;
  /** Files whose digests the stat cache knew, so that they were not read. */
  readonly unreadFiles: number;
  readonly matchedFiles: number;
  readonly matchedBytes: number;
  readonly sentFiles: number;
  readonly sentBytes: number;
  /** Of the entries: equal sources have equal ones. */
  readonly contentSha256: Sha256;
  /** Size of the listing, which is sent each time. */
  readonly listingBytes: number;
}

/**
 * Creates a package in the store. Safe to repeat; nothing is published before everything it refers to is there.
 *
 * @throws StagerError SOURCE_* from the source, SOURCE_CHANGED when a file changes while it is read, PACKAGE_INVALID when two
 * entries contradict each other, BLOBSTORE_*.
 */
export async function storePackage(source: Source, options: CreateOptions): Promise<PackageResult> {
  const { store, signal } = options;
  const pool = new Pool(store, options.tenant ?? DEFAULT_TENANT);
  const gathered = await gather(source, options);
  const entries = arranged(source, gathered.entries, options.extra ?? []);
  const { hostRoot } = gathered;
  options.onListed?.({ entries, ...(hostRoot !== undefined && { hostRoot }) });
  const files = entries.filter((entry) => entry.kind === 'file');
  const holds = { purpose: `upload of ${source.description}`, holds: [], signal };
  const stored = await withLease(store, holds, async () => {
    const sent = await sendMissing({ pool, source, files: gathered.files, hostRoot }, options);
    const header: ListingHeader = {
      guid: newGuid(),
      tenant: pool.tenant,
      ...(options.app === undefined ? {} : { app: options.app }),
      createdAt: new Date().toISOString(),
      entries: entries.length,
      files: files.length,
      bytes: sum(files),
    };
    const key = packageKey(header.guid);
    const put = { contentType: LISTING_TYPE, signal };
    const { sizeBytes } = await store.put(key, encodeListing(header, entries), put);
    return {
      guid: header.guid,
      location: store.location(key),
      files: files.length,
      directories: entries.filter(({ kind }) => kind === 'directory').length,
      symlinks: entries.filter(({ kind }) => kind === 'symlink').length,
      bytes: header.bytes,
      unreadFiles: gathered.unreadFiles,
      matchedFiles: files.length - sent.files,
      matchedBytes: header.bytes - sent.contentBytes,
      sentFiles: sent.files,
      sentBytes: sent.bytes,
      contentSha256: contentDigest(entries),
      listingBytes: sizeBytes,
    };
  });
  letGo();
  return stored;
}

const sum = (files: readonly ListedFile[]): number =>
  files.reduce((total, { sizeBytes }) => total + sizeBytes, 0);

/** A source, read once. */
export interface Gathered {
  readonly entries: readonly ListedEntry[];
  readonly files: readonly ListedFile[];
  /** With a path of the package it gives the host's; undefined for archives. */
  readonly hostRoot: string | undefined;
  readonly unreadFiles: number;
}

/** Reads a source: its entries, each file with its digests. What the stat cache knows is not read. */
export async function gather(
  source: Source,
  options: Pick<CreateOptions, 'signal' | 'statCachePath' | 'onProgress'>,
): Promise<Gathered> {
  const { signal } = options;
  const cache = await StatCache.open(options.statCachePath);
  const entries: ListedEntry[] = [];
  const files: ListedFile[] = [];
  let hostRoot: string | undefined;
  const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  let unreadFiles = 0;
  let bytes = 0;
  let turned = performance.now();
  for await (const entry of source.entries({ signal })) {
    if (performance.now() - turned > TURN_MS) {
      await setImmediate();
      throwIfCancelled(signal);
      turned = performance.now();
      options.onProgress?.({ step: 'fingerprint', files: files.length, bytes });
    }
    heldEntries(entries.length);
    const { path, mtimeMs } = entry;
    if (entry.kind === 'symlink') entries.push({ kind: 'symlink', path, target: entry.target, mtimeMs });
    else if (entry.kind === 'directory') entries.push({ kind: 'directory', path, mode: entry.mode, mtimeMs });
    else {
      const known = await fingerprint(entry, { cache, signal, scratch });
      if (!known.wasRead) unreadFiles++;
      const { sha1, sha256 } = known.digests;
      const sizeBytes = known.digests.sizeBytes;
      const file: ListedFile = { kind: 'file', path, mode: entry.mode, sizeBytes, mtimeMs, sha1, sha256 };
      entries.push(file);
      files.push(file);
      bytes += sizeBytes;
      hostRoot ??= entry.hostPath?.slice(0, -path.length);
    }
  }
  await cache.save();
  return { entries, files, hostRoot, unreadFiles };
}

async function fingerprint(
  entry: SourceEntry & { readonly kind: 'file' },
  io: { readonly cache: StatCache; readonly signal: AbortSignal; readonly scratch: Buffer },
): Promise<{ readonly digests: Digests; readonly wasRead: boolean }> {
  const { hostPath, path, sizeBytes } = entry;
  if (hostPath === undefined) {
    if (entry.open === undefined) throw new Error(`a file without content: ${path}`);
    return { digests: await fingerprintStream(await entry.open()), wasRead: true };
  }
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const stat = entry.stat ?? statOf(hostPath);
  const known = stat === undefined ? undefined : io.cache.get(path, stat, sizeBytes);
  if (known !== undefined) return { digests: known, wasRead: false };
  const digests = await fingerprintFile({ hostPath, path, sizeBytes }, io);
  if (stat !== undefined) io.cache.set(path, { stat, nowNs }, digests);
  return { digests, wasRead: true };
}

/** All entries in path order; what is not the walk of a directory can contradict itself and is checked. */
function arranged(
  { kind }: Source,
  own: readonly ListedEntry[],
  extra: readonly ListedEntry[],
): readonly ListedEntry[] {
  if (kind !== 'directory' || extra.length > 0) return joined(own, extra);
  return own.toSorted(byPath);
}

/** The extra entries in place of the source's. @throws StagerError PACKAGE_INVALID. */
function joined(own: readonly ListedEntry[], extra: readonly ListedEntry[]): readonly ListedEntry[] {
  const known = new Map(own.map((entry) => [entry.path.toString(), entry]));
  for (const entry of extra) known.set(entry.path, entry);
  for (const path of known.keys()) {
    for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
      const parent = known.get(path.slice(0, slash));
      if (parent === undefined || parent.kind === 'directory') continue;
      throw new StagerError('PACKAGE_INVALID', `${path} is below ${parent.path}, which is a ${parent.kind}`, {
        next: 'Send each path once, and nothing below a file or a link.',
        details: { path, parent: parent.path },
      });
    }
  }
  return [...known.values()].sort(byPath);
}

const byPath = (a: ListedEntry, b: ListedEntry): number => (a.path < b.path ? -1 : 1);
