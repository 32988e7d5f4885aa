/**
 * What tells a store from a directory that is empty since its disk is not mounted. The root says which kinds were ever
 * written (`.stager/<kind>`), and each kind's directory carries a mark of its own (`<kind>/.stager`). A kind that was
 * written and whose directory is gone, is something else or lacks the mark can't be listed, so it is not empty.
 */
import { access, constants, lstat, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { errnoOf, StagerError } from '../../../words/errors.ts';
import type { BlobKind } from '../port/blob-store.ts';
import { BLOB_KINDS } from '../port/key.ts';
import { DATA, MARK } from './layout.ts';
import { makeAll } from './write.ts';

const STORE = 'store.json';

/**
 * Before the first blob of a kind is written. All kinds are looked at, so that what is lost is reported before a staging and
 * not at its end.
 *
 * @throws StagerError CONFIG_INVALID, BLOBSTORE_UNAVAILABLE.
 */
export async function markKind(root: string, kind: BlobKind): Promise<void> {
  await refuseNested(root);
  if (!(await exists(join(root, MARK, STORE)))) await adopt(root);
  for (const each of BLOB_KINDS) if (each !== CACHES) await checkKind(root, each);
  if (kind === CACHES) await moveAside(join(root, CACHES));
  await writeKind(root, kind);
}

/** What only saves time is started over where it can't be seen; a warning in each staging would help nobody. */
const CACHES = 'buildpack_cache' satisfies BlobKind;

/** What is not a directory, or not one of ours, is kept beside the one that takes its place. */
async function moveAside(path: string): Promise<void> {
  const state = await stateOf(path);
  if (state === 'absent' || (state === 'directory' && (await isOurs(path)))) return;
  await rename(path, `${path}.${Date.now()}.replaced`);
}

async function isOurs(path: string): Promise<boolean> {
  return await access(path, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    (error: unknown) => errnoOf(error) !== 'EACCES',
  );
}

/** Marks a store that is there and has no mark: the kinds that it has are those that were written. */
export async function adopt(root: string): Promise<void> {
  await makeAll(join(root, MARK));
  for (const kind of BLOB_KINDS) if (await isDirectory(join(root, kind))) await writeKind(root, kind);
  const store = { format: 'stager-blobstore', version: 1, address: pathToFileURL(root).href };
  await writeFile(join(root, MARK, STORE), `${JSON.stringify(store)}\n`, { mode: 0o600 });
}

async function writeKind(root: string, kind: BlobKind): Promise<void> {
  await makeAll(join(root, kind));
  // The directory's first: a kind that counts as written has its mark.
  await touch(join(root, kind, MARK));
  await touch(join(root, MARK, kind));
}

async function touch(path: string): Promise<void> {
  await writeFile(path, '', { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
  });
}

/** @throws StagerError BLOBSTORE_UNAVAILABLE when the kind was written and can't be seen. */
export async function checkKind(root: string, kind: BlobKind): Promise<void> {
  const path = join(root, kind);
  // First, since it is written last: who makes the kind at this moment is not taken for one who lost it.
  const seen = await exists(join(root, MARK, kind));
  const [entry, mark] = await Promise.all([stateOf(path), exists(join(path, MARK))]);
  if (entry === 'other') throw lost(root, kind, 'it is not a directory');
  if (!seen || mark) return;
  throw lost(root, kind, entry === 'absent' ? 'it is gone' : 'it lacks the mark of the store');
}

/**
 * Whether all that was ever written can be seen.
 *
 * @returns false for a store that has no mark yet: what is gone of it can't be known.
 * @throws StagerError BLOBSTORE_UNAVAILABLE, CONFIG_INVALID.
 */
export async function checkStore(root: string): Promise<boolean> {
  await refuseNested(root);
  const names = await readdir(root).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') throw never(root, 'it is not there');
    if (errnoOf(error) === 'ENOTDIR') throw never(root, 'it is not a directory');
    throw error;
  });
  for (const kind of BLOB_KINDS) await checkKind(root, kind);
  const isMarked = await exists(join(root, MARK, STORE));
  const hasKinds = BLOB_KINDS.some((kind) => names.includes(kind));
  if (!isMarked && !hasKinds) throw never(root, 'nothing was ever stored in it');
  if (hasKinds && !(await isDirectory(join(root, DATA)))) {
    // A kind that was marked, and whose first blob was never written.
    for (const kind of BLOB_KINDS) {
      const inside = await readdir(join(root, kind)).catch(() => []);
      if (inside.some((name) => name !== MARK) && !(await isDirectory(join(root, DATA))))
        throw lost(root, DATA, 'it is gone');
    }
  }
  return isMarked;
}

/** A store within a store: garbage of the one would be what the other needs. */
async function refuseNested(root: string): Promise<void> {
  for (let at = dirname(root); ; at = dirname(at)) {
    if (await exists(join(at, MARK, STORE))) {
      throw new StagerError('CONFIG_INVALID', `the blob store ${root} is inside another one, ${at}`, {
        next: 'Choose a directory outside it with --blobstore.',
        details: { root, other: at },
      });
    }
    if (at === dirname(at)) return;
  }
}

function lost(root: string, name: string, why: string): StagerError {
  const path = join(root, name);
  return new StagerError(
    'BLOBSTORE_UNAVAILABLE',
    `what is stored in ${path} can't be seen: ${why}. Nothing was removed`,
    {
      next: `Mount it, or restore it from a backup. If it was deleted on purpose, delete ${join(root, MARK, name)} too.`,
      details: { path },
    },
  );
}

function never(root: string, why: string): StagerError {
  return new StagerError('BLOBSTORE_UNAVAILABLE', `there is no blob store at ${root}: ${why}`, {
    next: 'Correct the address, or mount the disk. A new store is created when something is stored.',
    details: { path: root },
  });
}

async function stateOf(path: string): Promise<'directory' | 'absent' | 'other'> {
  if (!(await exists(path))) return 'absent';
  return (await isDirectory(path)) ? 'directory' : 'other';
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then((info) => info.isDirectory(), unlessGone);
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(() => true, unlessGone);
}

function unlessGone(error: unknown): boolean {
  if (/^(ENOENT|ENOTDIR|ELOOP)$/.test(errnoOf(error) ?? '')) return false;
  throw error;
}
