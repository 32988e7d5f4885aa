/**
 * Installed buildpacks, with Cloud Foundry's rules (staging-internals.md 5.2): position from 1, enabled, locked, stack,
 * unique by name and stack, one of a name without stack.
 */
import type { Clock } from '../../../words/clock.ts';
import type { Sha256 } from '../../../words/ids.ts';
import type { ContentStore, HeldTree, LeaseWish } from './content-store.ts';
import type { FetchedBuildpack } from './fetch.ts';
import {
  ambiguous,
  checkName,
  checkPosition,
  demandSameStack,
  disabled,
  lockedBits,
  notInstalled,
  stackOf,
  taken,
} from './registry-failure.ts';
import { type IndexEntry, RegistryIndex } from './registry-index.ts';

/** An installed buildpack. */
export interface InstalledBuildpack {
  readonly name: string;
  /** From 1; the order in which detect tries them. */
  readonly position: number;
  readonly stack?: string;
  readonly enabled: boolean;
  /** New bits are refused. */
  readonly locked: boolean;
  readonly filename: string;
  readonly version?: string;
  readonly digest: Sha256;
  readonly inner: string;
  /** What it was made from, without credentials. */
  readonly source: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What `add` and `update` may set. */
export interface BuildpackSettings {
  /** From 1; above the last means last. */
  readonly position?: number;
  readonly enabled?: boolean;
  readonly locked?: boolean;
}

/** Picks one of several with a name: the stack, or null for the one without. Needed only when there are several. */
export type StackChoice = string | null | undefined;

/** See the top of the file. Every method reads the list again, so that processes see each other's changes. */
export class BuildpackRegistry {
  readonly #index: RegistryIndex;
  readonly #store: ContentStore;
  readonly #clock: Clock;

  constructor(parts: { readonly dir: string; readonly store: ContentStore; readonly clock: Clock }) {
    this.#index = new RegistryIndex(parts.dir, parts.clock);
    this.#store = parts.store;
    this.#clock = parts.clock;
  }

  /** All of them by position. */
  async list(): Promise<readonly InstalledBuildpack[]> {
    return (await this.#index.read()).map(installed);
  }

  /** @throws StagerError BUILDPACK_NOT_FOUND; USAGE when several stacks have the name and none was chosen. */
  async show(name: string, stack?: StackChoice): Promise<InstalledBuildpack> {
    const list = await this.#index.read();
    const place = placeOf(list, name, stack);
    const entry = list[place];
    if (entry === undefined) throw notInstalled(name);
    return installed(entry, place);
  }

  /**
   * Installs a fetched buildpack. Its stack is the one that its manifest names, or else `stack`.
   *
   * @throws StagerError BUILDPACK_NAME_TAKEN, BUILDPACK_MALFORMED when the two stacks differ, USAGE for a name, stack or
   * position that is not valid.
   */
  async add(
    name: string,
    fetched: FetchedBuildpack,
    options: BuildpackSettings & { readonly stack?: string; readonly signal: AbortSignal },
  ): Promise<InstalledBuildpack> {
    checkName(name);
    checkPosition(options.position);
    const stack = stackOf(fetched, options.stack);
    const now = new Date(this.#clock.now()).toISOString();
    const entry: IndexEntry = {
      name,
      ...(stack !== undefined && { stack }),
      enabled: options.enabled ?? true,
      locked: options.locked ?? false,
      ...bits(fetched),
      createdAt: now,
      updatedAt: now,
    };
    return await this.#index.change(options.signal, (list) => {
      if (list.some((it) => it.name === name && it.stack === entry.stack)) throw taken(name, entry.stack);
      return placed(list, entry, options.position ?? list.length + 1);
    });
  }

  /**
   * Changes settings, name or bits of one. Bits of a locked one are refused, unless the same call unlocks it; a
   * stack that is set stays.
   *
   * @throws StagerError BUILDPACK_NOT_FOUND, BUILDPACK_LOCKED, BUILDPACK_NAME_TAKEN, BUILDPACK_MALFORMED (the new bits
   * are for another stack), USAGE.
   */
  async update(
    name: string,
    change: BuildpackSettings & {
      readonly stack?: StackChoice;
      readonly rename?: string;
      readonly fetched?: FetchedBuildpack;
      readonly signal: AbortSignal;
    },
  ): Promise<InstalledBuildpack> {
    checkPosition(change.position);
    if (change.rename !== undefined) checkName(change.rename);
    return await this.#index.change(change.signal, (list) => {
      const place = placeOf(list, name, change.stack);
      const old = list[place];
      if (old === undefined) throw notInstalled(name);
      const { fetched } = change;
      const locked = change.locked ?? old.locked;
      if (fetched !== undefined && old.locked && locked) throw lockedBits(name);
      if (fetched !== undefined) demandSameStack(old, fetched);
      const stack = old.stack ?? fetched?.stack;
      const entry: IndexEntry = {
        ...old,
        name: change.rename ?? old.name,
        ...(stack !== undefined && { stack }),
        enabled: change.enabled ?? old.enabled,
        locked,
        ...(fetched !== undefined && bits(fetched)),
        updatedAt: new Date(this.#clock.now()).toISOString(),
      };
      const others = list.filter((_, other) => other !== place);
      if (others.some((it) => it.name === entry.name && it.stack === entry.stack)) {
        throw taken(entry.name, entry.stack);
      }
      return placed(others, entry, change.position ?? place + 1);
    });
  }

  /** Removes one, and what is no longer used. @throws StagerError BUILDPACK_NOT_FOUND, USAGE. */
  async remove(
    name: string,
    options: { readonly stack?: StackChoice; readonly signal: AbortSignal },
  ): Promise<InstalledBuildpack> {
    const removed = await this.#index.change(options.signal, (list) => {
      const place = placeOf(list, name, options.stack);
      const entry = list[place];
      if (entry === undefined) throw notInstalled(name);
      return { list: list.filter((_, other) => other !== place), result: installed(entry, place) };
    });
    await this.sweep(options.signal);
    return removed;
  }

  /** What detect tries on a stack: enabled ones for it or for any, by position. */
  async candidates(stack: string): Promise<readonly InstalledBuildpack[]> {
    const list = await this.list();
    return list.filter((it) => it.enabled && (it.stack === undefined || it.stack === stack));
  }

  /**
   * Looks a name up for a stack: the entry of the exact stack wins over the one without.
   *
   * @throws StagerError BUILDPACK_NOT_FOUND naming what there is, BUILDPACK_DISABLED.
   */
  async find(name: string, stack: string): Promise<InstalledBuildpack> {
    const named = (await this.list()).filter((it) => it.name === name);
    const found = named.find((it) => it.stack === stack) ?? named.find((it) => it.stack === undefined);
    if (found === undefined) {
      const stacks = named.flatMap((it) => it.stack ?? []);
      throw notInstalled(name, { stack, stacks, installed: (await this.list()).map((it) => it.name) });
    }
    if (found.enabled) return found;
    throw disabled(found);
  }

  /** Leases the bits of installed ones; undefined when the store lost them, or when they are not intact. */
  async leases(
    buildpacks: readonly LeaseWish[],
    signal: AbortSignal,
  ): Promise<readonly (HeldTree | undefined)[]> {
    return await this.#store.leases(buildpacks, signal);
  }

  /** Removes trees that no installed buildpack, young download or running staging uses. */
  async sweep(signal: AbortSignal): Promise<readonly Sha256[]> {
    const listed = async () => new Set((await this.#index.read()).map((it) => it.digest));
    return await this.#store.sweep(listed, signal);
  }
}

function installed(entry: IndexEntry, place: number): InstalledBuildpack {
  const { stack, version, ...rest } = entry;
  return {
    ...rest,
    position: place + 1,
    ...(stack !== undefined && { stack }),
    ...(version !== undefined && { version }),
  };
}

function bits(fetched: FetchedBuildpack) {
  return {
    filename: fetched.filename,
    version: fetched.version,
    digest: fetched.lease.digest,
    inner: fetched.inner,
    source: fetched.source ?? fetched.key,
  };
}

function placed(
  others: readonly IndexEntry[],
  entry: IndexEntry,
  position: number,
): { list: readonly IndexEntry[]; result: InstalledBuildpack } {
  const place = Math.min(position, others.length + 1) - 1;
  return {
    list: [...others.slice(0, place), entry, ...others.slice(place)],
    result: installed(entry, place),
  };
}

function placeOf(list: readonly IndexEntry[], name: string, stack: StackChoice): number {
  const places = list.flatMap((it, place) => (it.name === name ? [place] : []));
  if (stack !== undefined) {
    const chosen = places.find((place) => (list[place]?.stack ?? null) === stack);
    if (chosen === undefined) throw notInstalled(name, { stack: stack ?? 'none', stacks: [], installed: [] });
    return chosen;
  }
  const [first, second] = places;
  if (first === undefined) throw notInstalled(name, { installed: list.map((it) => it.name), stacks: [] });
  if (second === undefined) return first;
  const stacks = places.map((place) => list[place]?.stack ?? 'none');
  throw ambiguous(name, stacks);
}
