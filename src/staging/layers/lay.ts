/** Makes the tree of an app's package and lays it below a workspace, so that only what is new is written there. */
import { rmSync } from 'node:fs';
import { chmod, lstat, mkdir, open, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Owner, ownedDirectory } from '../../machine/host/owner.ts';
import type { Layers, VolumeSize } from '../../machine/sandbox/port/volume.ts';
import type { Report } from '../../words/events.ts';
import type { Guid } from '../../words/ids.ts';
import type { SourceLimits } from '../source/limits.ts';
import type { Workspace } from '../workspace/layout.ts';
import { materialise } from '../workspace/materialise.ts';
import type { LayerEntries } from './entries.ts';
import type { LayerEntry } from './entry-records.ts';
import type { LayerStore, LayerTree } from './store.ts';
import type { EntrySupply } from './supply.ts';

/** What both ways of writing entries need. */
export interface FillOptions {
  readonly limits?: Partial<SourceLimits>;
  readonly signal: AbortSignal;
  readonly report?: Report;
}

/** What is to be written, and where from. */
type Filling = FillOptions & { readonly supply: EntrySupply; readonly change: EntryChange };

/** What is to be done to a tree. */
interface EntryChange {
  readonly removed: readonly string[];
  readonly written: Iterable<LayerEntry>;
}

/** Where a tree is made: mounted at `at`, which is in a volume; from nothing, or from another one. */
export type TreePlace = {
  readonly layers: Layers;
  readonly store: LayerStore;
  readonly at: string;
} & ({ readonly size: Required<VolumeSize> } | { readonly from: LayerTree });

/** A tree that is mounted where it was made, and nobody's yet. */
export interface MadeTree extends AsyncDisposable {
  /** Keeps it as the tree of `app`. It stays mounted, to be read. */
  publish(app: Guid, entries: LayerEntries, signal: AbortSignal): Promise<void>;
}

/** The directory of an app in an image. */
export const APP = 'app';
const BLOCK = 4096;
/** An entry of a directory takes its name, some bytes more, and directories are not full. */
const NAME_BYTES = 64;
/** Packages grow. */
const SPARE = 1.15;

/** Paths beside `tmp`, which scripts do not see: what is read, what was written, and a place for the kernel. */
export function laidPlaces({ root }: Pick<Workspace, 'root'>) {
  return { below: join(root, 'below'), upper: join(root, 'upper'), work: join(root, 'work') };
}

/** What a tree takes in an image. */
export function sizeOfTree(entries: LayerEntries): Required<VolumeSize> {
  let bytes = 0;
  for (let index = 0; index < entries.size; index += 1) {
    const own = entries.kindAt(index) === 'file' ? entries.sizeBytesAt(index) : BLOCK;
    bytes += Math.ceil(own / BLOCK) * BLOCK + NAME_BYTES;
  }
  return { bytes: Math.ceil(bytes * SPARE), files: Math.ceil(entries.size * SPARE) + 1024 };
}

/** Writes a tree into an image of its own. */
export async function makeTree(place: TreePlace, filling: Filling): Promise<MadeTree> {
  const { layers, store, at } = place;
  await mkdir(at);
  const draft = 'from' in place ? await store.beginFrom(place.from) : await store.begin();
  try {
    if ('from' in place) await layers.show(draft.image, at, { writable: true });
    else await makeEmpty(layers, draft.image, { at, size: place.size });
    await applyDifference(filling.change, { ...filling, to: join(at, APP) });
    return {
      publish: async (app, entries, signal) => {
        await layers.close(at);
        await syncFile(draft.image);
        await draft.publish(app, entries, signal);
      },
      [Symbol.asyncDispose]: () => draft[Symbol.asyncDispose](),
    };
  } catch (error) {
    await layers.drop(at);
    await draft[Symbol.asyncDispose]();
    throw error;
  }
}

async function makeEmpty(
  layers: Layers,
  file: string,
  { at, size }: { readonly at: string; readonly size: Required<VolumeSize> },
): Promise<void> {
  await layers.make({ file, at, size });
  await rmdir(join(at, 'lost+found')).catch(() => undefined);
  await mkdir(join(at, APP));
  await chmod(join(at, APP), 0o755);
}

/** Mounts a tree, to be read. */
export async function mountTree(layers: Layers, { image }: LayerTree, at: string): Promise<void> {
  await mkdir(at);
  await layers.show(image, at, { writable: false });
}

/** Shows what is mounted below as the workspace's own; what is in its `tmp` already stays there. */
export async function layBelow(
  workspace: Workspace,
  {
    layers,
    owner,
    holds,
  }: { readonly layers: Layers; readonly owner: Owner; readonly holds: Required<VolumeSize> },
): Promise<void> {
  const { below, upper, work } = laidPlaces(workspace);
  await mkdir(work);
  // What is above an empty directory of the same name is not the one below.
  await rmdir(workspace.app);
  await rename(workspace.tmp, upper);
  await mkdir(workspace.tmp, { mode: 0o755 });
  await layers.lay({ below, upper, work, at: workspace.tmp, owner, holds });
}

/** Makes the workspace what it was, so that the app can be copied there. */
export async function undoLaying(workspace: Workspace, layers: Layers, owner: Owner): Promise<void> {
  const { below, upper, work } = laidPlaces(workspace);
  await layers.drop(workspace.tmp);
  const isMoved = await lstat(upper).then(
    () => true,
    () => false,
  );
  if (isMoved) {
    await rm(workspace.tmp, { recursive: true, force: true });
    await rename(upper, workspace.tmp);
  }
  await rm(work, { recursive: true, force: true });
  await ownedDirectory(workspace.app, owner);
  await layers.drop(below).catch(() => undefined);
}

/** Brings the tree at `to`, which no script has had yet, to another package. */
export async function applyDifference(
  { removed, written }: EntryChange,
  {
    supply,
    to,
    ...options
  }: FillOptions & { readonly supply: EntrySupply; readonly to: string; readonly owner?: Owner },
): Promise<void> {
  for (const path of removed) rmSync(join(to, path), { recursive: true, force: true });
  await materialise({ description: 'the app', entries: () => supply(written) }, to, options);
}

/** @throws when not all of a file got to the disk. */
async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}
