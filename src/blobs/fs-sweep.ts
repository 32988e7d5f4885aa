/** Finding what writers left that did not finish. */
import { lstat, readdir, readlink, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, throwIfCancelled } from '../errors.ts';
import type { Leftover, SweepOptions } from './blob-store.ts';
import { DATA, dataNameOfLink, parseDataName, TEMP } from './fs-layout.ts';
import { namesIn, ownerName, ownerState } from './fs-owner.ts';
import { openTemp } from './fs-write.ts';
import { BLOB_KINDS } from './key.ts';

interface Found {
  readonly path: string;
  readonly what: Leftover['what'];
}

/** Removes the temporary files of processes of this host that are dead. Cheap: one readdir when there are none. */
export async function sweepDeadOwners(root: string): Promise<void> {
  const own = ownerName();
  for (const name of namesIn(join(root, TEMP))) {
    if (name === own || ownerState(name) !== 'dead') continue;
    await rm(join(root, TEMP, name), { recursive: true, force: true });
  }
}

/**
 * Everything that belongs to no key: temporary files of dead or unknown owners, and data that no link names.
 *
 * What is published meanwhile is safe at any minimum age: until a key names it, its data has its temporary name as a
 * second one; losing that moves its ctime past the beginning of the sweep; and what was published before is found
 * among the links, which are read after the data was listed.
 */
export async function findLeftovers(root: string, options: SweepOptions): Promise<readonly Leftover[]> {
  const beganMs = await clockOf(root, options);
  const candidates: Found[] = [];
  for (const owner of namesIn(join(root, TEMP))) {
    if (ownerState(owner) === 'alive') continue;
    for (const name of namesIn(join(root, TEMP, owner))) {
      candidates.push({ path: join(root, TEMP, owner, name), what: 'temporary file' });
    }
  }
  const data: Found[] = [];
  for (const shard of namesIn(join(root, DATA))) {
    for (const name of namesIn(join(root, DATA, shard))) {
      if (parseDataName(name) === undefined) continue;
      data.push({ path: join(root, DATA, shard, name), what: 'unreferenced data' });
    }
  }
  throwIfCancelled(options.signal);
  const referenced = new Set<string>();
  for (const kind of BLOB_KINDS) await collectNames(join(root, kind), referenced);
  for (const item of data)
    if (!referenced.has(item.path.slice(-nameLength(item.path)))) candidates.push(item);
  return removeOld(root, candidates, { ...options, beganMs });
}

/** The time by the clock that stamps the files there, which need not be this machine's; milliseconds. */
async function clockOf(root: string, options: SweepOptions): Promise<number> {
  if (options.dryRun === true) return Date.now();
  const temp = await openTemp(root);
  try {
    return (await temp.handle.stat()).ctimeMs;
  } finally {
    await temp.dispose();
  }
}

const nameLength = (path: string): number => path.length - path.lastIndexOf('/') - 1;

async function collectNames(directory: string, into: Set<string>): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await collectNames(path, into);
    if (!entry.isSymbolicLink()) continue;
    const name = dataNameOfLink(await readlink(path).catch(() => ''));
    if (name !== undefined) into.add(name);
  }
}

async function removeOld(
  root: string,
  candidates: readonly Found[],
  options: SweepOptions & { readonly beganMs: number },
): Promise<readonly Leftover[]> {
  const now = Date.now();
  const leftovers: Leftover[] = [];
  for (const { path, what } of candidates) {
    throwIfCancelled(options.signal);
    const info = await lstat(path).catch(() => undefined);
    if (info === undefined) continue;
    // ctime, not mtime: a rename into place counts as young, whatever time the file carries.
    const ageMs = Math.max(0, now - info.ctimeMs);
    if (ageMs < options.minAgeMs || info.ctimeMs >= options.beganMs) continue;
    if (what === 'unreferenced data' && info.nlink > 1) continue;
    leftovers.push({ what, location: path, sizeBytes: info.size, ageMs });
    if (options.dryRun !== true) await rm(path, { force: true });
  }
  if (options.dryRun !== true) {
    // The empty directory of a living process is one that it is about to use.
    for (const owner of namesIn(join(root, TEMP)))
      if (ownerState(owner) !== 'alive') await rmdir(join(root, TEMP, owner)).catch(() => undefined);
  }
  return leftovers;
}
