/**
 * Trees of buildpacks by digest, under the data home: `store/<digest>/tree`, and `tree.seal` by which it is verified at
 * every use. A tree is never changed after it appeared, so a staging that uses one sees no update; one that changed all
 * the same is not there any more. What nobody refers to is swept, unless a live process holds a lease on it.
 */
import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { withClaim } from '../../../machine/host/file-claim.ts';
import { processIdentitySchema } from '../../../machine/host/identity-schema.ts';
import { namesIn } from '../../../machine/host/names-in.ts';
import { lifeOf, ownIdentity } from '../../../machine/host/process-identity.ts';
import { asidePath, lifeOfLabel } from '../../../machine/host/process-label.ts';
import { removeTree } from '../../../machine/host/remove-tree.ts';
import { replaceFile } from '../../../machine/host/replace-file.ts';
import { checkTree, readTree, sealTree, type TreeCheck } from '../../../machine/host/tree-seal.ts';
import type { Clock } from '../../../words/clock.ts';
import { errnoOf, throwIfCancelled } from '../../../words/errors.ts';
import { parseSha256, type Sha256 } from '../../../words/ids.ts';
import { parseJson } from '../../../words/json.ts';
import { treeDigest } from './tree-digest.ts';

/** An alias keeps its tree for this long after its last use. */
const ALIAS_LIFE_MS = 30 * 24 * 3600 * 1000;

/** A tree that a live process uses. */
export interface HeldTree {
  readonly digest: Sha256;
  /** Host directory of the tree. */
  readonly dir: string;
  /** Giving back late or twice does nothing. */
  release(): Promise<void>;
}

/** Told of a tree that is no longer what was stored: the path that differs, and how. */
export type OnDamaged = (path: string, why: string) => void;

/** A tree to lease. */
export interface LeaseWish {
  readonly digest: Sha256;
  readonly onDamaged?: OnDamaged;
}

/** See the top of the file. */
export class ContentStore {
  readonly root: string;
  readonly clock: Clock;

  constructor(root: string, clock: Clock) {
    this.root = root;
    this.clock = clock;
  }

  /** A new empty directory on the store's file system, and how to remove it. */
  async scratch(): Promise<{ readonly dir: string; readonly remove: () => Promise<void> }> {
    const dir = asidePath(join(this.root, 'tmp', 'scratch'));
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await writeFile(join(dir, 'owner.json'), JSON.stringify(ownIdentity()));
    return { dir, remove: () => removeTree(dir).catch(leftToAnother) };
  }

  /**
   * Moves the tree at `dir` (in a {@link scratch}) into the store and leases it. One that is there already is kept, if
   * it is intact.
   */
  async adopt(dir: string, signal: AbortSignal): Promise<HeldTree> {
    const entries = await readTree(dir, signal);
    const { digest } = treeDigest(entries);
    const kept = await this.lease(digest, signal);
    if (kept !== undefined) return kept;
    return await this.#claimed(signal, async () => {
      const place = this.#place(digest);
      if (!(await exists(join(place, 'tree')))) {
        // A private repository was cloned with credentials: what came out of it is as private.
        await mkdir(place, { recursive: true, mode: 0o700 });
        await sealTree(dir, this.#seal(digest), entries, signal);
        await rename(dir, join(place, 'tree'));
      }
      return await this.#lease(digest);
    });
  }

  /**
   * Leases a tree that is what was stored. Undefined when there is none: a damaged one is told of and set aside, so
   * that it is fetched again.
   */
  async lease(digest: Sha256, signal: AbortSignal, onDamaged?: OnDamaged): Promise<HeldTree | undefined> {
    const [lease] = await this.leases([{ digest, ...(onDamaged && { onDamaged }) }], signal);
    return lease;
  }

  /** As {@link lease}, several under one claim. */
  async leases(
    wanted: readonly LeaseWish[],
    signal: AbortSignal,
  ): Promise<readonly (HeldTree | undefined)[]> {
    const made: HeldTree[] = [];
    try {
      await this.#claimed(signal, async () => {
        for (const { digest } of wanted) made.push(await this.#lease(digest));
      });
      const kept: (HeldTree | undefined)[] = [];
      for (const [index, lease] of made.entries())
        kept.push(await this.#intact(lease, signal, wanted[index]?.onDamaged));
      return kept;
    } catch (error) {
      for (const lease of made) await lease.release();
      throw error;
    }
  }

  async #intact(
    lease: HeldTree,
    signal: AbortSignal,
    onDamaged: OnDamaged | undefined,
  ): Promise<HeldTree | undefined> {
    const { digest } = lease;
    const found = await this.#check(digest, signal);
    if (found?.outcome === 'intact') return lease;
    await lease.release();
    if (found?.outcome === 'damaged') onDamaged?.(found.path, found.why);
    await this.#setAside(digest, signal);
    return undefined;
  }

  /** Undefined when there is nothing at all. A tree without a seal is checked by the digest in its name. */
  async #check(digest: Sha256, signal: AbortSignal): Promise<TreeCheck | undefined> {
    const tree = join(this.#place(digest), 'tree');
    if ((await lstat(tree).catch(() => undefined)) === undefined) return undefined;
    const found = await checkTree(tree, this.#seal(digest), { signal });
    if (found.outcome !== 'unsealed') return found;
    try {
      const entries = await readTree(tree, signal);
      const actual = treeDigest(entries).digest;
      if (actual !== digest) return { outcome: 'damaged', path: tree, why: `its sha256 is ${actual}` };
      await sealTree(tree, this.#seal(digest), entries, signal).catch(() => throwIfCancelled(signal));
      return { outcome: 'intact' };
    } catch (error) {
      throwIfCancelled(signal);
      return {
        outcome: 'damaged',
        path: tree,
        why: `it can't be read (${errnoOf(error) ?? 'unknown error'})`,
      };
    }
  }

  /** Another process may have stored a good one in the meantime, so it is looked at again. */
  async #setAside(digest: Sha256, signal: AbortSignal): Promise<void> {
    const aside = asidePath(join(this.root, 'tmp', 'damaged'));
    await this.#claimed(signal, async () => {
      const place = this.#place(digest);
      if ((await lstat(place).catch(() => undefined)) === undefined) return;
      if ((await this.#check(digest, signal))?.outcome === 'intact') return;
      await mkdir(join(this.root, 'tmp'), { recursive: true });
      await rename(place, aside);
    });
    await removeTree(aside).catch(leftToAnother);
  }

  /** Remembers that `source` (an immutable thing: a commit, the bytes of an archive) unpacks to `digest`. */
  async remember(source: string, digest: Sha256, signal: AbortSignal): Promise<void> {
    // Under the claim, since a sweep takes a file that is being written for a broken one.
    await this.#claimed(signal, async () => {
      await mkdir(join(this.root, 'aliases'), { recursive: true });
      const alias = this.#alias(source);
      // A directory can't be replaced by a file, and it was not an alias.
      if ((await lstat(alias).catch(() => undefined))?.isDirectory() === true) await removeTree(alias);
      await replaceFile(alias, JSON.stringify({ digest }), { durable: false });
    });
  }

  /** What {@link remember} said of `source`. Its tree may be gone. */
  async recall(source: string): Promise<Sha256 | undefined> {
    const path = this.#alias(source);
    const digest = await aliasDigest(path);
    const now = this.clock.now() / 1000;
    if (digest !== undefined) await utimes(path, now, now).catch(() => {});
    return digest;
  }

  /**
   * Removes trees that neither `referenced` nor a young alias nor a live lease names, and what dead processes left.
   *
   * @param referenced asked after the leases: who installs a buildpack lists it before giving back its lease.
   * @returns the digests that were removed.
   */
  async sweep(
    referenced: () => Promise<ReadonlySet<Sha256>>,
    signal: AbortSignal,
  ): Promise<readonly Sha256[]> {
    const doomed = await this.#claimed(signal, async () => {
      const leased = await this.#leased();
      const kept = new Set([...leased, ...(await referenced()), ...(await this.#aliased())]);
      const found: { readonly digest: Sha256; readonly aside: string }[] = [];
      for (const name of await namesIn(join(this.root, 'store'))) {
        const digest = parseSha256(name);
        if (digest === undefined || kept.has(digest)) continue;
        const aside = asidePath(join(this.root, 'tmp', 'swept'));
        await mkdir(join(this.root, 'tmp'), { recursive: true });
        await rename(this.#place(digest), aside);
        found.push({ digest, aside });
      }
      return found;
    });
    for (const { aside } of doomed) await removeTree(aside).catch(leftToAnother);
    await this.#sweepScratch();
    return doomed.map(({ digest }) => digest);
  }

  async #lease(digest: Sha256): Promise<HeldTree> {
    const path = join(this.root, 'leases', `${digest}.${randomUUID()}`);
    // Only who has the claim reads it.
    await writeFile(path, JSON.stringify(ownIdentity()), { flag: 'wx' });
    // It ends with this process anyway, and must not hide why a staging failed.
    const release = (): Promise<void> => rm(path, { force: true }).catch(() => undefined);
    return { digest, dir: join(this.#place(digest), 'tree'), release };
  }

  async #leased(): Promise<readonly Sha256[]> {
    const held: Sha256[] = [];
    for (const name of await namesIn(join(this.root, 'leases'))) {
      const path = join(this.root, 'leases', name);
      const digest = parseSha256(name.split('.', 1)[0] ?? '');
      if (digest !== undefined && (await ownerLives(path))) held.push(digest);
      else await rm(path, { recursive: true, force: true });
    }
    return held;
  }

  async #aliased(): Promise<readonly Sha256[]> {
    const named: Sha256[] = [];
    for (const name of await namesIn(join(this.root, 'aliases'))) {
      const path = join(this.root, 'aliases', name);
      const facts = await stat(path).catch(() => undefined);
      const digest = await aliasDigest(path);
      const young = facts !== undefined && this.clock.now() - facts.mtimeMs < ALIAS_LIFE_MS;
      if (digest !== undefined && young) named.push(digest);
      else await rm(path, { recursive: true, force: true });
    }
    return named;
  }

  async #sweepScratch(): Promise<void> {
    for (const name of await namesIn(join(this.root, 'tmp'))) {
      const dir = join(this.root, 'tmp', name);
      const life = lifeOfLabel(name);
      if (life === 'dead' || (life === 'unknown' && !(await ownerLives(join(dir, 'owner.json')))))
        await removeTree(dir).catch(leftToAnother);
    }
  }

  async #claimed<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await mkdir(join(this.root, 'leases'), { recursive: true, mode: 0o755 });
    return await withClaim(join(this.root, 'store.lock'), { clock: this.clock, signal }, work);
  }

  #place(digest: Sha256): string {
    return join(this.root, 'store', digest);
  }

  #seal(digest: Sha256): string {
    return join(this.#place(digest), 'tree.seal');
  }

  #alias(source: string): string {
    return join(this.root, 'aliases', source.replace(/[^A-Za-z0-9-]/g, '_'));
  }
}

/** What belongs to another user is left to the next process that may remove it. */
const leftToAnother = (): void => undefined;

async function aliasDigest(path: string): Promise<Sha256 | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const parsed = z.object({ digest: z.string() }).safeParse(parseJson(text));
  return parsed.success ? parseSha256(parsed.data.digest) : undefined;
}

async function ownerLives(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  // Not written yet, or being removed by its owner: leave it alone for now unless it is old.
  if (text === undefined) {
    const facts = await stat(join(path, '..')).catch(() => undefined);
    return facts !== undefined && Date.now() - facts.mtimeMs < 60_000;
  }
  const owner = processIdentitySchema.safeParse(parseJson(text));
  return owner.success && lifeOf(owner.data) !== 'dead';
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
