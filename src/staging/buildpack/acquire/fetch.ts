/**
 * Reference → a verified tree in the content store: unpacked, digested, with its root, version and stack found.
 */

import { lstat, rm, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { Got } from 'got';
import { copyTree } from '../../../machine/host/copy-tree.ts';
import { fileDigest } from '../../../machine/host/file-digest.ts';
import type { Clock } from '../../../words/clock.ts';
import { sha256OfBytes } from '../../../words/digest.ts';
import { errnoOf, StagerError } from '../../../words/errors.ts';
import type { UntimedEvent } from '../../../words/events.ts';
import type { Sha256 } from '../../../words/ids.ts';
import { buildpackVersion, manifestStack } from '../contract/facts.ts';
import type { Reference } from '../contract/reference.ts';
import { buildpackRoot } from '../contract/root.ts';
import type { ContentStore, HeldTree, OnDamaged } from './content-store.ts';
import { type DownloadRequest, download } from './download.ts';
import type { Downloaded } from './download-cache.ts';
import { mismatch } from './download-failure.ts';
import { extractArchive } from './extract.ts';
import { clone, type GitOptions, type GitReference, isCommit } from './git.ts';

/** A reference that names bytes somewhere; installed ones are the registry's. */
export type FetchableReference = Exclude<Reference, { kind: 'installed' }>;

/** Where the bytes came from, for the lock file; no credentials. */
export interface Origin {
  readonly kind: 'directory' | 'file' | 'url' | 'git' | 'installed';
  /** Commit of a git buildpack. */
  readonly commit?: string;
  /** Digest of the archive. */
  readonly archiveSha256?: Sha256;
}

/** A buildpack in the store. */
export interface FetchedBuildpack {
  readonly key: string;
  /** Keeps the tree from being swept; release it when the copy was made. */
  readonly lease: HeldTree;
  /** Root relative to the tree: '' or the one nested directory. */
  readonly inner: string;
  readonly version?: string;
  /** From manifest.yml. */
  readonly stack?: string;
  /** Where it can be fetched again, when that is not the key. */
  readonly source?: string;
  /** Last part of path or URL. */
  readonly filename: string;
  readonly origin: Origin;
}

/** What a fetcher is made of. */
export interface FetcherParts {
  readonly store: ContentStore;
  /** Asked for when something is downloaded: most stagings have all their buildpacks. */
  readonly http: () => Promise<Got>;
  /** Directory of the download cache. */
  readonly cacheDir: string;
  readonly git: Omit<GitOptions, 'signal'>;
  readonly clock: Clock;
}

/** Options of one fetch. */
export interface FetchIo {
  readonly signal: AbortSignal;
  readonly report?: (event: UntimedEvent) => void;
}

/**
 * Brings buildpacks into the content store.
 *
 * Errors: BUILDPACK_NOT_FOUND, BUILDPACK_MALFORMED, BUILDPACK_DOWNLOAD_FAILED, BUILDPACK_CHECKSUM_MISMATCH, CANCELLED.
 */
export class BuildpackFetcher {
  readonly #parts: FetcherParts;

  constructor(parts: FetcherParts) {
    this.#parts = parts;
  }

  /** Fetches, unpacks and checks. */
  async fetch(reference: FetchableReference, io: FetchIo): Promise<FetchedBuildpack> {
    const got = await this.#tree(reference, io);
    try {
      const root = await buildpackRoot(got.lease.dir, reference.key);
      const version = (await buildpackVersion(root)) ?? got.origin.commit?.slice(0, 12);
      const stack = await manifestStack(root, reference.key);
      return {
        key: reference.key,
        lease: got.lease,
        inner: relative(got.lease.dir, root),
        ...(version !== undefined && { version }),
        ...(stack !== undefined && { stack }),
        ...(reference.kind === 'file' && { source: reference.path }),
        filename: filenameOf(reference),
        origin: got.origin,
      };
    } catch (error) {
      await got.lease.release();
      throw error;
    }
  }

  /** Only the archive, in the download cache, for buildpacks that are not kept in the store. */
  async download(
    reference: Extract<Reference, { kind: 'url' }> & Pick<DownloadRequest, 'authorization'>,
    io: FetchIo,
  ): Promise<Downloaded> {
    const { cacheDir, http, clock } = this.#parts;
    return await download(reference, {
      http: await http(),
      clock,
      cacheDir,
      signal: io.signal,
      ...progress(io),
    });
  }

  /** Only the tree, in a directory of the caller's that must not exist. */
  async clone(reference: GitReference, dir: string, signal: AbortSignal): Promise<void> {
    await clone(reference, dir, { ...this.#parts.git, signal });
  }

  async #tree(reference: FetchableReference, io: FetchIo): Promise<{ lease: HeldTree; origin: Origin }> {
    switch (reference.kind) {
      case 'directory':
        return {
          lease: await this.#directory(reference.path, reference.key, io),
          origin: { kind: 'directory' },
        };
      case 'file': {
        const sha256 = await archiveDigest(reference.path, reference.key, io.signal);
        if (reference.sha256 !== undefined && reference.sha256 !== sha256) {
          throw mismatch(reference.key, reference.sha256, sha256);
        }
        const lease = await this.#archive({ path: reference.path, sha256, key: reference.key }, io);
        return { lease, origin: { kind: 'file', archiveSha256: sha256 } };
      }
      case 'url': {
        const file = await this.download(reference, io);
        const lease = await this.#archive({ path: file.path, sha256: file.sha256, key: reference.key }, io);
        return { lease, origin: { kind: 'url', archiveSha256: file.sha256 } };
      }
      case 'git':
        return await this.#git(reference, io);
    }
  }

  async #directory(path: string, key: string, io: FetchIo): Promise<HeldTree> {
    const facts = await stat(path).catch(() => undefined);
    if (facts?.isDirectory() !== true)
      throw notThere(key, facts === undefined ? 'it does not exist' : 'it is not a directory');
    return await this.#adopt(io, async (dir) => {
      await copyTree(path, dir, { signal: io.signal, skip: new Set(['.git']) });
      // Left by a build that ran in this directory; the next buildpack of a Heroku order would source it.
      const stale = join(dir, 'export');
      if ((await lstat(stale).catch(() => undefined))?.isFile() === true) await rm(stale);
    });
  }

  async #archive(archive: { path: string; sha256: Sha256; key: string }, io: FetchIo): Promise<HeldTree> {
    const { store } = this.#parts;
    const source = `archive-${archive.sha256}`;
    const known = await store.recall(source);
    const kept = known && (await store.lease(known, io.signal, tellsOfDamage(archive.key, io)));
    if (kept !== undefined) return kept;
    const scratch = await store.scratch();
    try {
      const dir = join(scratch.dir, 'tree');
      await extractArchive(archive.path, dir, { key: archive.key, tempRoot: scratch.dir, signal: io.signal });
      const lease = await store.adopt(dir, io.signal);
      await store.remember(source, lease.digest, io.signal);
      return lease;
    } finally {
      await scratch.remove();
    }
  }

  async #git(
    reference: Extract<Reference, { kind: 'git' }>,
    io: FetchIo,
  ): Promise<{ lease: HeldTree; origin: Origin }> {
    const { store } = this.#parts;
    const sourceOf = (commit: string): string => `git-${sha256OfBytes(`${reference.address.url}#${commit}`)}`;
    if (isCommit(reference.ref)) {
      const known = await store.recall(sourceOf(reference.ref.toLowerCase()));
      const kept = known && (await store.lease(known, io.signal, tellsOfDamage(reference.key, io)));
      if (kept !== undefined)
        return { lease: kept, origin: { kind: 'git', commit: reference.ref.toLowerCase() } };
    }
    let commit = '';
    const lease = await this.#adopt(io, async (dir) => {
      commit = await clone(reference, dir, { ...this.#parts.git, signal: io.signal });
    });
    await store.remember(sourceOf(commit), lease.digest, io.signal);
    return { lease, origin: { kind: 'git', commit } };
  }

  async #adopt(io: FetchIo, fill: (dir: string) => Promise<void>): Promise<HeldTree> {
    const scratch = await this.#parts.store.scratch();
    try {
      const dir = join(scratch.dir, 'tree');
      await fill(dir);
      return await this.#parts.store.adopt(dir, io.signal);
    } finally {
      await scratch.remove();
    }
  }
}

/** One line for a kept copy that changed. */
export function tellsOfDamage(key: string, { report }: FetchIo): OnDamaged {
  return (path, why) =>
    report?.({
      type: 'warning',
      code: 'buildpack-damaged',
      message: `the kept copy of buildpack ${key} is damaged and is fetched again: ${path}: ${why}`,
      phase: { name: 'buildpacks' },
    });
}

/** Progress events, at most one for each MiB. */
function progress(io: FetchIo): { onProgress?: (done: number, total: number | undefined) => void } {
  const { report } = io;
  if (report === undefined) return {};
  let told = 0;
  return {
    onProgress: (done, total) => {
      if (done - told < 1024 * 1024) return;
      told = done;
      const phase = { name: 'buildpacks' } as const;
      report({ type: 'progress', phase, done, ...(total !== undefined && { total }), unit: 'bytes' });
    },
  };
}

function filenameOf(reference: FetchableReference): string {
  const path = 'path' in reference ? reference.path : (reference.address.url.split(/[?#]/, 1)[0] ?? '');
  return basename(path.replace(/\/+$/, ''));
}

async function archiveDigest(path: string, key: string, signal: AbortSignal): Promise<Sha256> {
  try {
    return await fileDigest(path, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    throw notThere(
      key,
      errnoOf(error) === 'ENOENT' ? 'it does not exist' : `it can't be read (${errnoOf(error)})`,
    );
  }
}

function notThere(key: string, reason: string): StagerError {
  return new StagerError('BUILDPACK_NOT_FOUND', `buildpack ${key} can't be used: ${reason}`, {
    next: 'Check the path; `stager buildpack list` shows the names of installed buildpacks.',
    details: { buildpack: key, reason },
  });
}
