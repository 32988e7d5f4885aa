/** What is where in the data home; checked once before it is used. */
import { access, chmod, constants, lstat, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, StagerError } from '../../words/errors.ts';

interface Place {
  readonly path: string;
  readonly kind: 'directory' | 'file';
  /** What is kept there, for people. */
  readonly what: string;
  /** The file system of another disk may be mounted there: then what is missing is a mount, not a directory. */
  readonly mayBeMount?: true;
}

/** Each before what is in it. */
const PLACES: readonly Place[] = [
  { path: 'blobs', kind: 'directory', what: 'packages, droplets and build caches', mayBeMount: true },
  { path: 'buildpacks', kind: 'directory', what: 'installed buildpacks' },
  { path: 'buildpacks/index.json', kind: 'file', what: 'the list of installed buildpacks' },
  { path: 'buildpacks/shipped.json', kind: 'file', what: 'which buildpacks came with stager' },
  { path: 'buildpacks/store', kind: 'directory', what: 'the trees of buildpacks' },
  { path: 'buildpacks/aliases', kind: 'directory', what: 'which archive has which tree' },
  { path: 'buildpacks/leases', kind: 'directory', what: 'who uses which buildpack' },
  { path: 'buildpacks/tmp', kind: 'directory', what: 'buildpacks that are being fetched' },
  { path: 'buildpacks/store.lock', kind: 'file', what: 'a claim' },
  { path: 'buildpacks/index.lock', kind: 'file', what: 'a claim' },
  { path: 'stacks', kind: 'directory', what: 'stacks' },
  { path: 'stacks/names', kind: 'directory', what: 'the names of stacks' },
  { path: 'stacks/trees', kind: 'directory', what: 'the files of stacks' },
  { path: 'stacks/new', kind: 'directory', what: 'stacks that are being added' },
  { path: 'stagings', kind: 'directory', what: 'the records of stagings' },
  { path: 'workspaces', kind: 'directory', what: 'workspaces' },
  { path: 'members', kind: 'directory', what: 'the cache of compressed members' },
  { path: 'members/tmp', kind: 'directory', what: 'members that are being written' },
  { path: 'unpacked', kind: 'directory', what: 'what buildpacks install, unpacked' },
  { path: 'unpacked/store', kind: 'directory', what: 'the trees of what buildpacks install' },
  { path: 'unpacked/aliases', kind: 'directory', what: 'which archive has which tree' },
  { path: 'unpacked/leases', kind: 'directory', what: 'who uses which tree' },
  { path: 'unpacked/tmp', kind: 'directory', what: 'trees that are being made' },
  { path: 'unpacked/store.lock', kind: 'file', what: 'a claim' },
  { path: 'layers', kind: 'directory', what: "the trees of apps' packages" },
  { path: 'layers/trees', kind: 'directory', what: "the trees of apps' packages" },
  { path: 'layers/apps', kind: 'directory', what: 'which app has which tree' },
  { path: 'layers/tmp', kind: 'directory', what: 'trees that are being made' },
  { path: 'layers/store.lock', kind: 'file', what: 'a claim' },
  { path: 'sandbox', kind: 'directory', what: 'the state of sandboxes' },
  { path: 'cache', kind: 'directory', what: 'caches' },
  { path: 'cache/stat', kind: 'directory', what: 'what is known of unchanged files' },
  { path: 'cache/downloads', kind: 'directory', what: 'downloaded files' },
];

/** In the directory of a server. What is lost there is reported, never made again. */
const SERVED: readonly Place[] = [
  { path: '.', kind: 'directory', what: 'all data of the server', mayBeMount: true },
  { path: 'database', kind: 'directory', what: 'the database', mayBeMount: true },
  { path: 'blobs', kind: 'directory', what: 'packages, droplets and build caches', mayBeMount: true },
  { path: 'stagings', kind: 'directory', what: 'the records of stagings', mayBeMount: true },
  { path: 'uploads', kind: 'directory', what: 'uploads that were acknowledged', mayBeMount: true },
];

/** Where processes write aside. */
export const asideDirectories = (home: string): readonly string[] =>
  PLACES.filter(({ kind, path }) => kind === 'directory' && path !== 'blobs').map(({ path }) =>
    join(home, path),
  );

/** What is wrong with one place. */
export interface LayoutFault {
  readonly path: string;
  /** One sentence. */
  readonly why: string;
  /** Whether it can be made again and nothing is lost by that. */
  readonly repairable: boolean;
}

/**
 * Looks at every place. A link counts as what it leads to.
 *
 * @throws StagerError CONFIG_INVALID for the first that can't be used, with what to do.
 */
export async function checkLayout(home: string): Promise<void> {
  refuse(await layoutFaults(home));
}

/** As {@link checkLayout}, for the directory that a server keeps its data in. */
export async function checkServedLayout(data: string): Promise<void> {
  refuse(await layoutFaults(data, SERVED));
}

function refuse([fault]: readonly LayoutFault[]): void {
  if (fault === undefined) return;
  const { path, why, repairable } = fault;
  throw new StagerError('CONFIG_INVALID', `${path} ${why}`, {
    next: repairable
      ? 'Run `stager doctor --repair`: it restores the modes, or moves it aside and creates it again.'
      : 'Mount or restore it, or give the user that runs stager access to it; then run stager again.',
    details: { path },
  });
}

/** Every place that can't be used. */
export async function layoutFaults(
  home: string,
  places: readonly Place[] = PLACES,
): Promise<readonly LayoutFault[]> {
  const faults: LayoutFault[] = [];
  for (const place of places) {
    const path = join(home, place.path);
    if (faults.some((above) => path.startsWith(`${above.path}/`))) continue;
    const fault = await faultOf(path, place);
    if (fault !== undefined) faults.push(fault);
  }
  return faults;
}

/**
 * Moves what is in the way aside, and makes a directory in its place. What is only unreadable and ours gets its modes back.
 *
 * @returns one sentence for each thing done.
 */
export async function repairLayout(home: string): Promise<readonly string[]> {
  const done: string[] = [];
  for (const place of PLACES) {
    const fault = await faultOf(join(home, place.path), place);
    if (fault?.repairable === true) done.push(await repair(fault.path, place));
  }
  return done;
}

async function repair(path: string, place: Place): Promise<string> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isDirectory() === true && place.kind === 'directory') {
    await chmod(path, facts.mode | 0o700);
    return `${path} can be read again`;
  }
  const aside = `${path}.aside-${new Date().toISOString().replaceAll(':', '-')}`;
  await rename(path, aside);
  if (place.kind === 'directory') await mkdir(path, { mode: 0o755 });
  return `${path} was moved to ${aside} and created again`;
}

async function faultOf(path: string, { kind, what, mayBeMount }: Place): Promise<LayoutFault | undefined> {
  const repairable = mayBeMount !== true;
  try {
    const facts = await stat(path);
    if (kind === 'file' && facts.isFile()) return undefined;
    if (kind === 'file') return { path, why: `is not a file (it is the place of ${what})`, repairable };
    if (!facts.isDirectory())
      return { path, why: `is not a directory (it is the place of ${what})`, repairable };
    await access(path, constants.R_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const errno = errnoOf(error);
    const link = await lstat(path).catch(() => undefined);
    // What is not a link by now was made since we looked, as claims are.
    if (errno === 'ENOENT' && link?.isSymbolicLink() !== true) return undefined;
    if (errno === 'ENOENT' || errno === 'ELOOP')
      return { path, why: `is a link that leads nowhere (${errno}); it is the place of ${what}`, repairable };
    const isOurs = link?.uid === process.getuid?.();
    return { path, why: `can't be read (${errno ?? String(error)}); it holds ${what}`, repairable: isOurs };
  }
}
