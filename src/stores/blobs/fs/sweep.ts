/** Finds what unfinished writers left behind. */
import { lstat, readdir, readlink, rm, rmdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { namesNow } from '../../../machine/host/names-in.ts';
import { errnoOf, throwIfCancelled } from '../../../words/errors.ts';
import { pause } from '../../../words/retry.ts';
import type { Leftover, SweepOptions } from '../port/blob-store.ts';
import { DATA, dataNameOfLink, parseDataName, TEMP } from './layout.ts';
import { adopt, checkStore } from './marker.ts';
import { ownerName, ownerState } from './owner.ts';

interface Found {
  readonly path: string;
  readonly what: Leftover['what'];
}

/** Removes the temporary files of processes of this host that are dead. Cheap: one readdir when there are none. */
export async function sweepDeadOwners(root: string): Promise<void> {
  const own = ownerName();
  for (const name of namesNow(join(root, TEMP))) {
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
  if (beganMs === undefined) return [];
  const isMarked = await checkStore(root);
  const candidates: Found[] = [];
  for (const owner of namesNow(join(root, TEMP))) {
    if (ownerState(owner) === 'alive') continue;
    for (const name of namesNow(join(root, TEMP, owner))) {
      candidates.push({ path: join(root, TEMP, owner, name), what: 'temporary file' });
    }
  }
  const data: Found[] = [];
  for (const shard of namesNow(join(root, DATA))) {
    for (const name of namesNow(join(root, DATA, shard))) {
      if (parseDataName(name) === undefined) continue;
      data.push({ path: join(root, DATA, shard, name), what: 'unreferenced data' });
    }
  }
  throwIfCancelled(options.signal);
  const referenced = new Set<string>();
  for (const directory of await readdir(root))
    if (directory !== DATA && directory !== TEMP) await collectNames(join(root, directory), referenced);
  // Again: what was taken away meanwhile would leave its data without a key.
  await checkStore(root);
  if (!isMarked && options.dryRun !== true) await adopt(root);
  // Which kinds a store without a mark has lost can't be told; the next sweep knows those that are there now.
  for (const item of isMarked ? data : [])
    if (!referenced.has(item.path.slice(-nameLength(item.path)))) candidates.push(item);
  return removeOld(root, candidates, { ...options, beganMs });
}

/** A clock that stands still for so many looks, a millisecond apart, is not usable. */
const TICKS = 3_000;

/**
 * The time by the clock that stamps the files there, which need not be this machine's; milliseconds. Whatever was
 * stamped before the call has an earlier time, so the clock has to tick once. A directory is stamped, since a full
 * disk takes no new file. Undefined when nothing was ever stored there.
 */
async function clockOf(root: string, { dryRun }: SweepOptions): Promise<number | undefined> {
  const names = await readdir(root).catch(unlessGone([]));
  const made = names.find((name) => name === DATA || name === TEMP);
  if (made === undefined) return undefined;
  if (dryRun === true) return Date.now() + 1;
  const directory = join(root, made);
  const before = await stamp(directory);
  for (let tick = 0; tick < TICKS; tick++) {
    const now = await stamp(directory);
    if (now !== before) return now;
    await pause(1);
  }
  return before;
}

/** The time by the clock that stamps files there. */
export async function storeTime(root: string): Promise<number> {
  return await stamp(join(root, DATA)).catch(() => Date.now());
}

async function stamp(directory: string): Promise<number> {
  const now = new Date();
  await utimes(directory, now, now);
  return (await stat(directory)).ctimeMs;
}

const nameLength = (path: string): number => path.length - path.lastIndexOf('/') - 1;

/** What was deleted meanwhile names nothing; any other failure ends the sweep, since a link that it hides may count. */
function unlessGone<T>(nothing: T): (error: unknown) => T {
  return (error) => {
    if (/^(ENOENT|ENOTDIR|EINVAL)$/.test(errnoOf(error) ?? '')) return nothing;
    throw error;
  };
}

async function collectNames(directory: string, into: Set<string>): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(unlessGone([]));
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await collectNames(path, into);
    if (!entry.isSymbolicLink()) continue;
    const name = dataNameOfLink(await readlink(path).catch(unlessGone('')));
    if (name !== undefined) into.add(name);
  }
}

async function removeOld(
  root: string,
  candidates: readonly Found[],
  options: SweepOptions & { readonly beganMs: number },
): Promise<readonly Leftover[]> {
  const leftovers: Leftover[] = [];
  for (const { path, what } of candidates) {
    throwIfCancelled(options.signal);
    const info = await lstat(path).catch(() => undefined);
    if (info === undefined) continue;
    // ctime, not mtime: a rename into place counts as young, whatever time the file carries.
    const ageMs = options.beganMs - info.ctimeMs;
    if (ageMs <= 0 || ageMs < options.minAgeMs) continue;
    if (what === 'unreferenced data' && info.nlink > 1) continue;
    leftovers.push({ what, location: path, sizeBytes: info.size, ageMs });
    if (options.dryRun !== true) await rm(path, { force: true, recursive: true });
  }
  if (options.dryRun !== true) {
    // The empty directory of a living process is one that it is about to use.
    for (const owner of namesNow(join(root, TEMP)))
      if (ownerState(owner) !== 'alive') await rmdir(join(root, TEMP, owner)).catch(() => undefined);
  }
  return leftovers;
}
