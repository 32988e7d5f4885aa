/**
 * References → an order of buildpacks whose bytes are at hand: from the registry, the lock file or a download
 * (staging-internals.md 5.2).
 */
import { join } from 'node:path';
import { isStagerError, StagerError } from '../../../words/errors.ts';
import { buildpackVersion } from '../contract/facts.ts';
import { type BuildpackApi, type FoundFamily, findFamily, settleFamily } from '../contract/family.ts';
import type { Reference } from '../contract/reference.ts';
import { buildpackRoot } from '../contract/root.ts';
import type { OrderMode, ResolvedBuildpack } from '../contract/staged.ts';
import type { ContentStore, HeldTree, LeaseWish } from './content-store.ts';
import {
  type BuildpackFetcher,
  type FetchableReference,
  type FetchedBuildpack,
  type FetchIo,
  type Origin,
  tellsOfDamage,
} from './fetch.ts';
import { type BuildpackLock, type LockEntry, moved } from './lock-file.ts';
import type { BuildpackRegistry, InstalledBuildpack } from './registry.ts';
import { reinstalled, shippedName } from './reinstall.ts';

/** What to resolve. */
export interface ResolveInput {
  /** In order; none means every enabled installed one, tried by detect. */
  readonly references: readonly Reference[];
  readonly stack: string;
  readonly api?: BuildpackApi;
  /** Use exactly these bytes (`--frozen`). */
  readonly frozen?: BuildpackLock;
}

/** Where buildpacks come from. */
export interface ResolveParts {
  readonly registry: BuildpackRegistry;
  readonly fetcher: BuildpackFetcher;
  readonly store: ContentStore;
  /** Directory of the buildpacks that ship. */
  readonly shipped?: string;
}

/** Who knows the installed ones, when a staging asks: the registry of this machine, or another list. */
export interface InstalledBuildpacks {
  /** Those that detect tries on a stack, in order. */
  candidates(stack: string): Promise<readonly InstalledBuildpack[]>;
  /** @throws StagerError BUILDPACK_NOT_FOUND, BUILDPACK_DISABLED. */
  find(name: string, stack: string): Promise<InstalledBuildpack>;
  /** In order; undefined where the bits are lost, or not intact. */
  leases(buildpacks: readonly LeaseWish[], signal: AbortSignal): Promise<readonly (HeldTree | undefined)[]>;
}

/** What an order is resolved with. */
export type OrderParts = Omit<ResolveParts, 'registry'> & { readonly registry: InstalledBuildpacks };

/** An order; release it when the buildpacks were copied into the workspace. */
export interface ResolvedOrder {
  readonly mode: OrderMode;
  readonly order: readonly ResolvedBuildpack[];
  /** Where each came from, in order. */
  readonly origins: readonly Origin[];
  release(): Promise<void>;
}

interface Held {
  readonly key: string;
  readonly name: string;
  readonly cacheKey: string;
  readonly lease: HeldTree;
  readonly inner: string;
  readonly version?: string;
  readonly origin: Origin;
  readonly ships?: true;
}

/**
 * Resolves the order.
 *
 * @throws StagerError BUILDPACK_NOT_FOUND, BUILDPACK_DISABLED, BUILDPACK_MALFORMED, BUILDPACK_DOWNLOAD_FAILED,
 * BUILDPACK_CHECKSUM_MISMATCH, BUILDPACK_MOVED, CANCELLED.
 */
export async function resolveOrder(
  input: ResolveInput,
  parts: OrderParts,
  io: FetchIo,
): Promise<ResolvedOrder> {
  const held: Held[] = [];
  const release = async (): Promise<void> => {
    for (const { lease } of held) await lease.release();
  };
  try {
    const mode: OrderMode =
      input.references.length === 0 && input.frozen === undefined ? 'detect' : 'explicit';
    if (input.frozen !== undefined) held.push(...(await holdLocked(input, input.frozen, { parts, io })));
    else if (mode === 'detect') {
      held.push(...(await holdCandidates(input.stack, { parts, io })));
    } else {
      for (const it of input.references) held.push(await hold(it, input.stack, { parts, io }));
    }
    const order = await settle(held, input, mode);
    return { mode, order, origins: held.map((it) => it.origin), release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function settle(
  held: readonly Held[],
  input: ResolveInput,
  mode: OrderMode,
): Promise<readonly ResolvedBuildpack[]> {
  const found: readonly FoundFamily[] = await Promise.all(
    held.map((it) => findFamily(join(it.lease.dir, it.inner), it.key, input.api)),
  );
  return held.map((it, index) => ({
    key: it.key,
    cacheKey: it.cacheKey,
    name: it.name,
    ...(it.version !== undefined && { version: it.version }),
    ...(it.ships === true && { ships: it.ships }),
    digest: it.lease.digest,
    dir: it.lease.dir,
    root: join(it.lease.dir, it.inner),
    // Candidates of detect are alternatives, not an order: they don't settle each other.
    family: settleFamily(found[index] ?? 'ambiguous', mode === 'detect' ? [] : found, input.stack),
  }));
}

interface Means {
  readonly parts: OrderParts;
  readonly io: FetchIo;
}

async function hold(reference: Reference, stack: string, { parts, io }: Means): Promise<Held> {
  if (reference.kind === 'installed') {
    const buildpack = await parts.registry.find(reference.name, stack);
    const [lease] = await parts.registry.leases([wishFor(buildpack, io)], io.signal);
    return heldInstalled(buildpack, lease ?? (await reinstalled(buildpack, parts, io)));
  }
  return heldFetched(reference, await parts.fetcher.fetch(reference, io));
}

const wishFor = ({ name, digest }: InstalledBuildpack, io: FetchIo): LeaseWish => ({
  digest,
  onDamaged: tellsOfDamage(name, io),
});

/** All that detect may try, in order. */
async function holdCandidates(stack: string, { parts, io }: Means): Promise<readonly Held[]> {
  const buildpacks = await parts.registry.candidates(stack);
  const wishes = buildpacks.map((it) => wishFor(it, io));
  const leases = await parts.registry.leases(wishes, io.signal);
  const held: Held[] = [];
  try {
    for (const [index, it] of buildpacks.entries())
      held.push(heldInstalled(it, leases[index] ?? (await reinstalled(it, parts, io))));
    return held;
  } catch (error) {
    for (const lease of [...leases, ...held.map((it) => it.lease)]) await lease?.release();
    throw error;
  }
}

function heldInstalled(buildpack: InstalledBuildpack, lease: HeldTree): Held {
  return {
    key: buildpack.name,
    name: buildpack.name,
    // As Cloud Controller's keys: an upgrade starts with an empty cache of its own.
    cacheKey: `${buildpack.name}_${buildpack.digest}`,
    lease,
    inner: buildpack.inner,
    ...(buildpack.version !== undefined && { version: buildpack.version }),
    ...(shippedName(buildpack.source) !== undefined && { ships: true }),
    origin: { kind: 'installed' },
  };
}

function heldFetched(reference: FetchableReference, fetched: FetchedBuildpack): Held {
  return {
    key: reference.key,
    name: shortName(reference, fetched),
    cacheKey: reference.key,
    lease: fetched.lease,
    inner: fetched.inner,
    ...(fetched.version !== undefined && { version: fetched.version }),
    origin: fetched.origin,
  };
}

/** `https://host/heroku-buildpack-go.git#v1` → `heroku-buildpack-go`. */
function shortName(reference: FetchableReference, fetched: FetchedBuildpack): string {
  const name = fetched.filename.replace(/\.(?:git|zip|tgz|tar\.gz)$/i, '').replace(/^.*:/, '');
  return name === '' ? reference.key : name;
}

async function holdLocked(
  input: ResolveInput,
  lock: BuildpackLock,
  { parts, io }: Means,
): Promise<readonly Held[]> {
  refuseOtherOrder(input, lock);
  const held: Held[] = [];
  try {
    for (const [index, entry] of lock.buildpacks.entries()) {
      held.push(await holdEntry(entry, input.references[index], { stack: input.stack, parts, io }));
    }
    return held;
  } catch (error) {
    for (const { lease } of held) await lease.release();
    throw error;
  }
}

async function holdEntry(
  entry: LockEntry,
  reference: Reference | undefined,
  { stack, parts, io }: Means & { readonly stack: string },
): Promise<Held> {
  const kept = await parts.store.lease(entry.digest, io.signal, tellsOfDamage(entry.buildpack, io));
  if (kept !== undefined && entry.source.kind !== 'directory') return await heldLocked(entry, kept);
  await kept?.release();
  const target: Reference = reference ?? { kind: 'installed', key: entry.buildpack, name: entry.buildpack };
  // A branch may have moved on; the commit has not.
  const pinned =
    target.kind === 'git' && entry.source.commit !== undefined
      ? { ...target, ref: entry.source.commit }
      : target;
  const now = await hold(pinned, stack, { parts, io }).catch((error: unknown) => {
    const gone = pinned === target ? [] : (['BUILDPACK_DOWNLOAD_FAILED'] as const);
    if (!isStagerError(error, 'BUILDPACK_NOT_FOUND', ...gone)) throw error;
    throw moved(entry, { what: `the locked one is no longer available: ${error.message}` });
  });
  if (now.lease.digest === entry.digest) return { ...now, key: entry.buildpack };
  await now.lease.release();
  const what = `it is now ${now.version ?? 'without version'}, sha256 ${now.lease.digest}`;
  throw moved(entry, { digest: now.lease.digest, what });
}

/** From the store alone: nothing is asked of the network. */
async function heldLocked(entry: LockEntry, lease: HeldTree): Promise<Held> {
  const root = await buildpackRoot(lease.dir, entry.buildpack);
  const version = entry.version ?? (await buildpackVersion(root));
  const installed = entry.source.kind === 'installed';
  return {
    key: entry.buildpack,
    name: installed
      ? entry.buildpack
      : (entry.buildpack.split(/[/#]/).findLast((it) => it !== '') ?? entry.buildpack),
    cacheKey: installed ? `${entry.buildpack}_${entry.digest}` : entry.buildpack,
    lease,
    inner: root.slice(lease.dir.length + 1),
    ...(version !== undefined && { version }),
    origin: {
      kind: entry.source.kind,
      ...(entry.source.commit !== undefined && { commit: entry.source.commit }),
    },
  };
}

function refuseOtherOrder(input: ResolveInput, lock: BuildpackLock): void {
  const locked = lock.buildpacks.map((it) => it.buildpack);
  const asked = input.references.map((it) => it.key);
  const sameOrder = asked.length === 0 || JSON.stringify(asked) === JSON.stringify(locked);
  if (sameOrder && input.stack === lock.stack) return;
  const what = sameOrder
    ? `stager.lock is for stack ${lock.stack}, this staging uses ${input.stack}`
    : `stager.lock is for ${locked.join(', ')}, this staging asks for ${asked.join(', ')}`;
  throw new StagerError('BUILDPACK_MOVED', what, {
    next: 'Stage with --lock to record the new order, or use the locked one.',
    details: { locked, asked, lockedStack: lock.stack, stack: input.stack },
  });
}

/** The lock entries of an order that was used; `selected` are keys when detect chose one of several. */
export function lockOf(
  resolved: Pick<ResolvedOrder, 'order' | 'origins' | 'mode'>,
  options: { readonly stack: string; readonly selected: readonly string[] },
): BuildpackLock {
  const buildpacks = resolved.order.flatMap((it, index): readonly LockEntry[] => {
    if (!options.selected.includes(it.key)) return [];
    const origin = resolved.origins[index] ?? { kind: 'directory' };
    return [
      {
        buildpack: it.key,
        digest: it.digest,
        ...(it.version !== undefined && { version: it.version }),
        source: {
          kind: origin.kind,
          ...(origin.commit !== undefined && { commit: origin.commit }),
          ...(origin.archiveSha256 !== undefined && { archive_sha256: origin.archiveSha256 }),
        },
      },
    ];
  });
  return { stack: options.stack, detected: resolved.mode === 'detect', buildpacks };
}
