/** The app of a staging above the tree of its last package, where that can be had. */
import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Sandbox } from '../../machine/sandbox/port/sandbox.ts';
import { type Layers, NO_VOLUMES } from '../../machine/sandbox/port/volume.ts';
import { isStagerError, throwIfCancelled } from '../../words/errors.ts';
import type { Report } from '../../words/events.ts';
import { formatCount, MEBIBYTE } from '../../words/units.ts';
import type { KnownTree } from '../droplet/tar/known-tree.ts';
import { difference, type PackageChange } from '../layers/difference.ts';
import { LayerEntries } from '../layers/entries.ts';
import { inodeOffset, LaidAppTree } from '../layers/known.ts';
import {
  APP,
  applyDifference,
  type FillOptions,
  laidPlaces,
  layBelow,
  type MadeTree,
  makeTree,
  mountTree,
  sizeOfTree,
  undoLaying,
} from '../layers/lay.ts';
import type { LayerTree } from '../layers/store.ts';
import { type EntrySupply, type Listed, supplyOf } from '../layers/supply.ts';
import { whyUnfit } from '../layers/unfit.ts';
import type { StageRequest } from '../request/request.ts';
import type { Source } from '../source/entry.ts';
import type { Workspace } from '../workspace/layout.ts';
import type { StagePorts } from './staging.ts';

/** What is to be staged. */
export interface LayeredInput {
  readonly source: Source;
  /** What its package lists. */
  readonly listed: () => Promise<Listed>;
}

/** What it takes of a staging. */
export interface LayerUser {
  readonly request: Pick<StageRequest, 'keep' | 'diskMb'> & {
    readonly app: Pick<StageRequest['app'], 'guid'>;
  };
  readonly ports: Pick<StagePorts, 'layers'> & { readonly sandbox: Pick<Sandbox, 'volumes' | 'owner'> };
  readonly signal: AbortSignal;
  readonly report: Report;
  warn(code: string, message: string): void;
}

/** With fewer entries two mounts cost more than they save. */
const FEW_ENTRIES = 2_000;
/** Why most apps are copied. */
export const FEW_FILES = 'it has few files';
/** What was written above the tree is written again each time, up to this; more becomes the tree of the next staging. */
const SMALL = { entries: 256, bytes: 16 * MEBIBYTE } as const;
/** A change of more than this part of all is a new tree. */
const MOST = 0.5;
/** Of the machine's disk, beside what a tree takes. */
const RESERVE_BYTES = 1024 * MEBIBYTE;

/** A workspace whose app lies above a tree. */
interface Laid {
  readonly layers: Layers;
  /** What is below. */
  readonly entries: LayerEntries;
  /** Made by this staging, and nobody else's yet. */
  readonly made?: MadeTree;
  /** From an earlier one, with what was written above it, and what the tree of the next is to hold. */
  readonly used?: {
    readonly tree: LayerTree;
    readonly change: PackageChange;
    readonly next?: LayerEntries;
  };
  readonly supply: EntrySupply;
}

/** See the top of the file. */
export class LayeredApp implements AsyncDisposable {
  readonly #staging: LayerUser;
  readonly #workspace: Workspace;
  readonly #laid: Laid;
  readonly #offset: number;
  #keeping: Promise<void> | undefined;

  private constructor(staging: LayerUser, workspace: Workspace, laid: Laid) {
    this.#staging = staging;
    this.#workspace = workspace;
    this.#laid = laid;
    this.#offset = inodeOffset(placesOf(workspace));
  }

  /**
   * Fills the workspace. @returns why it has to be copied instead, in one phrase; then the workspace is as it was.
   *
   * @throws StagerError SOURCE_CHANGED and what else the source throws.
   */
  static async fill(
    staging: LayerUser,
    workspace: Workspace,
    input: LayeredInput,
  ): Promise<LayeredApp | string> {
    const { ports, request, signal } = staging;
    const { wanted } = ports.layers;
    const layers = ports.sandbox.volumes?.layers;
    if (wanted === 'copy') return 'as it was asked for';
    const listed = await input.listed();
    const isFew = wanted === 'auto' && listed.count < FEW_ENTRIES;
    if (isFew || request.keep !== 'never' || layers === undefined) {
      listed.close?.();
      if (isFew) return FEW_FILES;
      if (layers !== undefined) return 'what may be kept is a plain directory';
      const why = ports.sandbox.volumes?.whyNoLayers ?? NO_VOLUMES;
      return `no tree can be laid below a workspace: ${why}`;
    }
    const now = await LayerEntries.of(listed.entries);
    const unfit = await whyUnfit(now, APP);
    if (unfit !== undefined) return unfit;
    const supply = supplyOf(input.source, listed.hostRoot, signal);
    // What is below does not count later; copying says that it is too much.
    if (sizeOfTree(now).bytes > request.diskMb * MEBIBYTE) return 'it may not fit into the disk limit';
    const laid = await lay(staging, workspace, { layers, supply, now }).catch(async (error: unknown) => {
      await undoLaying(workspace, layers, ports.sandbox.owner);
      throwIfCancelled(signal);
      if (isStagerError(error) && error.code !== 'HOST_DISK_FULL') throw error;
      return error instanceof Error ? error.message : String(error);
    });
    if (typeof laid === 'string') return laid;
    const app = new LayeredApp(staging, workspace, laid);
    if (laid.used === undefined) return app;
    const how = { ...optionsOf(staging), supply, to: workspace.app, owner: ports.sandbox.owner };
    await applyDifference(laid.used.change, how);
    return app;
  }

  /** One short fact for people. */
  get note(): string {
    const { used } = this.#laid;
    if (used === undefined) return 'all written';
    const written = used.change.written.filter(({ kind }) => kind !== 'directory').length;
    return `${formatCount(written, 'file')} written, the rest as last time`;
  }

  /** What packing need not look at. Call it when no script runs any more. */
  known(): KnownTree {
    return new LaidAppTree(placesOf(this.#workspace), this.#laid.entries, this.#offset);
  }

  /** Packing found something amiss: nothing is taken from the tree any more. */
  async giveUp(): Promise<void> {
    await this.settled();
    await this.#staging.ports.layers.store.forget(this.#staging.request.app.guid).catch(() => undefined);
  }

  /** Begins to keep the tree for the next staging; {@link settled} waits for it. */
  keep(): void {
    this.#keeping ??= this.#keep().catch((error: unknown) => {
      if (this.#staging.signal.aborted) return;
      const why = error instanceof Error ? error.message : String(error);
      this.#staging.warn('layer-not-kept', `the app's tree is not kept for the next staging: ${why}`);
    });
  }

  async settled(): Promise<void> {
    await this.#keeping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A staging whose scripts failed is often tried again.
    if (!this.#staging.signal.aborted) this.keep();
    await this.settled();
    await this.#laid.made?.[Symbol.asyncDispose]();
  }

  async #keep(): Promise<void> {
    const { ports, request, signal } = this.#staging;
    const { layers, made, used, entries, supply } = this.#laid;
    if (made !== undefined) await made.publish(request.app.guid, entries, signal);
    else if (used?.next !== undefined) {
      const at = join(this.#workspace.root, 'next');
      await using next = await makeTree(
        { layers, store: ports.layers.store, at, from: used.tree },
        { ...optionsOf(this.#staging), supply, change: used.change },
      );
      await next.publish(request.app.guid, used.next, signal);
    } else return;
    await ports.layers.store.sweep(signal);
  }
}

/** Makes the tree of this package, or takes the one of the last, and shows it in the workspace. */
async function lay(
  staging: LayerUser,
  workspace: Workspace,
  {
    layers,
    supply,
    now,
  }: { readonly layers: Layers; readonly supply: EntrySupply; readonly now: LayerEntries },
): Promise<Laid> {
  const { ports, request } = staging;
  const { store } = ports.layers;
  const { below } = laidPlaces(workspace);
  const show = (entries: LayerEntries) =>
    layBelow(workspace, { layers, owner: ports.sandbox.owner, holds: sizeOfTree(entries) });
  const tree = await store.recall(request.app.guid, (why) =>
    staging.warn('layer-damaged', `the app's tree on this machine is damaged (${why}); it is made again`),
  );
  const change = tree === undefined ? undefined : difference(tree.entries, now, now.size * MOST);
  if (tree !== undefined && change !== undefined) {
    await mountTree(layers, tree, below);
    await show(tree.entries);
    const next = isLarge(change) ? now : undefined;
    return { layers, supply, entries: tree.entries, used: { tree, change, ...(next && { next }) } };
  }
  await demandRoom(store.root, sizeOfTree(now).bytes);
  const options = { ...optionsOf(staging), supply, change: { removed: [], written: now } };
  const made = await makeTree({ layers, store, at: below, size: sizeOfTree(now) }, options);
  try {
    await show(now);
    return { layers, supply, entries: now, made };
  } catch (error) {
    await made[Symbol.asyncDispose]();
    throw error;
  }
}

const placesOf = ({ app, root }: Workspace) => {
  const { below, upper } = laidPlaces({ root });
  return { seen: app, above: join(upper, APP), below: join(below, APP) };
};

const isLarge = ({ written, removed, bytes }: PackageChange): boolean =>
  written.length + removed.length > SMALL.entries || bytes > SMALL.bytes;

const optionsOf = ({ request, signal, report }: LayerUser): FillOptions => ({
  limits: { maxBytes: request.diskMb * MEBIBYTE, raise: '--disk' },
  signal,
  report,
});

/** @throws what there is too little of. */
async function demandRoom(root: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(root));
  if (bavail * bsize < bytes + RESERVE_BYTES) throw new Error(`${dirname(root)} has little room`);
}
