/**
 * Trees of apps' packages that this machine keeps: `layers/` in the data home.
 *
 *     trees/<id>/image     a file system in a file, in which `app` is the tree
 *     trees/<id>/entries   what is in it; its digest is the id
 *     trees/<id>/seal      what stat(2) said of the image when it was made
 *     apps/<guid>          the tree of an app's last package
 *     tmp/                 trees that are being made
 *
 * A tree is renamed into its place when all of it is on the disk, and nobody writes to it after that: who did would change
 * what its seal says. Whoever has mounted one keeps it until the end, also when its name is gone by then. So nothing
 * has to be held, and removing one is removing a file.
 */
import { constants, copyFile, mkdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { withClaim } from '../../machine/host/file-claim.ts';
import { namesIn } from '../../machine/host/names-in.ts';
import { asidePath, sweepDead } from '../../machine/host/process-label.ts';
import { removeTree } from '../../machine/host/remove-tree.ts';
import { replaceFile } from '../../machine/host/replace-file.ts';
import type { Clock } from '../../words/clock.ts';
import { errnoOf } from '../../words/errors.ts';
import { type Guid, parseSha256, type Sha256 } from '../../words/ids.ts';
import { parseJson } from '../../words/json.ts';
import { LayerEntries } from './entries.ts';

/** What all trees may take, and how long one stays that nobody uses. */
export interface LayerLimits {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

const LIMITS: LayerLimits = { maxBytes: 16 * 1024 ** 3, maxAgeMs: 30 * 24 * 3600 * 1000 };

/** A tree that is as it was made. */
export interface LayerTree {
  readonly id: Sha256;
  /** Host path of the image. */
  readonly image: string;
  readonly entries: LayerEntries;
}

/** A tree that is being made. */
export interface LayerDraft extends AsyncDisposable {
  /** Host path of its image, to be made by the caller. */
  readonly image: string;
  /** Puts it in its place as the tree of `app`. The image is on the disk, and is not written to any more. */
  publish(app: Guid, entries: LayerEntries, signal: AbortSignal): Promise<void>;
}

/** What trees there are and what they take. */
export interface LayerUse {
  readonly trees: number;
  readonly bytes: number;
}

const aliasSchema = z.object({ id: z.string() });
const sealSchema = z.object({
  format: z.literal('stager-layer-seal'),
  version: z.literal(1),
  image: z.string(),
});

/** See the top of the file. */
export class LayerStore {
  readonly root: string;
  readonly #clock: Clock;
  readonly #limits: LayerLimits;

  constructor(root: string, clock: Clock, limits: LayerLimits = LIMITS) {
    this.root = root;
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * The tree of an app's last package; undefined when there is none. One that is not what was made is told of, and given
   * up, so that it is made again.
   */
  async recall(app: Guid, onDamaged: (why: string) => void): Promise<LayerTree | undefined> {
    const alias = this.#alias(app);
    const id = await idIn(alias);
    if (id === undefined) return undefined;
    const tree = await this.#open(id);
    if (typeof tree !== 'string') {
      const now = this.#clock.now() / 1000;
      await utimes(alias, now, now).catch(() => undefined);
      return tree;
    }
    onDamaged(tree);
    await rm(alias, { force: true }).catch(() => undefined);
    await this.#drop(id).catch(() => undefined);
    return undefined;
  }

  /** Gives up the tree of an app, so that it is made again. */
  async forget(app: Guid): Promise<void> {
    await rm(this.#alias(app), { force: true });
  }

  /** Begins a tree. What is not published is removed when it is disposed of. */
  async begin(): Promise<LayerDraft> {
    await mkdir(this.root, { recursive: true, mode: 0o700 });
    await mkdir(join(this.root, 'tmp'), { recursive: true, mode: 0o700 });
    const dir = asidePath(join(this.root, 'tmp', 'tree'));
    await mkdir(dir, { mode: 0o700 });
    return {
      image: join(dir, 'image'),
      publish: (app, entries, signal) => this.#publish({ dir, app, entries, signal }),
      [Symbol.asyncDispose]: () => removeTree(dir).catch(() => undefined),
    };
  }

  /** Begins a tree with a copy of another one's image. */
  async beginFrom({ image }: LayerTree): Promise<LayerDraft> {
    const draft = await this.begin();
    try {
      await copyFile(image, draft.image, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      return draft;
    } catch (error) {
      await draft[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Removes trees that no app refers to, those of apps that were not staged for long, and the oldest of too many. */
  async sweep(signal: AbortSignal, limits = this.#limits): Promise<LayerUse> {
    await sweepDead([join(this.root, 'tmp')]);
    if ((await namesIn(this.root)).length === 0) return { trees: 0, bytes: 0 };
    return await this.#claimed(signal, () => this.#sweepClaimed(limits));
  }

  async #sweepClaimed({ maxBytes, maxAgeMs }: LayerLimits): Promise<LayerUse> {
    const apps = join(this.root, 'apps');
    const kept = new Map<Sha256, number>();
    const aliases: { readonly path: string; readonly id: Sha256; readonly usedAtMs: number }[] = [];
    for (const name of await namesIn(apps)) {
      const path = join(apps, name);
      const id = await idIn(path);
      const facts = await stat(path).catch(() => undefined);
      if (id === undefined || facts === undefined || this.#clock.now() - facts.mtimeMs > maxAgeMs)
        await rm(path, { force: true, recursive: true });
      else aliases.push({ path, id, usedAtMs: facts.mtimeMs });
    }
    let bytes = 0;
    for (const { path, id } of aliases.sort((a, b) => b.usedAtMs - a.usedAtMs)) {
      if (kept.has(id)) continue;
      const taken = await this.#bytesOf(id);
      if (taken === undefined || bytes + taken > maxBytes) {
        await rm(path, { force: true });
        continue;
      }
      bytes += taken;
      kept.set(id, taken);
    }
    for (const name of await namesIn(join(this.root, 'trees'))) {
      const id = parseSha256(name);
      if (id === undefined || !kept.has(id)) await removeTree(join(this.root, 'trees', name));
    }
    return { trees: kept.size, bytes };
  }

  /** What is there now. */
  async use(): Promise<LayerUse> {
    const ids = (await namesIn(join(this.root, 'trees'))).flatMap((name) => parseSha256(name) ?? []);
    const taken = await Promise.all(ids.map((id) => this.#bytesOf(id)));
    return { trees: ids.length, bytes: taken.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0) };
  }

  async #publish(made: {
    readonly dir: string;
    readonly app: Guid;
    readonly entries: LayerEntries;
    readonly signal: AbortSignal;
  }): Promise<void> {
    const { id, pieces } = made.entries;
    const kept = { mode: 0o600, durable: true };
    await replaceFile(join(made.dir, 'entries'), pieces, kept);
    const image = await identityOf(join(made.dir, 'image'));
    const seal = { format: 'stager-layer-seal', version: 1, image } satisfies z.input<typeof sealSchema>;
    await replaceFile(join(made.dir, 'seal'), JSON.stringify(seal), kept);
    await this.#claimed(made.signal, async () => {
      const place = this.#place(id);
      await mkdir(dirname(place), { recursive: true, mode: 0o700 });
      if (typeof (await this.#open(id)) === 'string') {
        await this.#drop(id);
        await rename(made.dir, place);
      }
      await mkdir(join(this.root, 'apps'), { recursive: true, mode: 0o700 });
      await replaceFile(this.#alias(made.app), JSON.stringify({ id }), kept);
    });
  }

  /** Or why it can't be used. */
  async #open(id: Sha256): Promise<LayerTree | string> {
    const place = this.#place(id);
    const image = join(place, 'image');
    try {
      const seal = sealSchema.safeParse(parseJson(await readFile(join(place, 'seal'), 'utf8'))).data;
      if (seal === undefined) return 'it has no seal';
      if (seal.image !== (await identityOf(image))) return 'its image was written to';
      const entries = LayerEntries.parse(await readFile(join(place, 'entries')), id);
      return entries === undefined ? 'the list of what is in it was written to' : { id, image, entries };
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      return `a part of it can't be read (${errno})`;
    }
  }

  async #drop(id: Sha256): Promise<void> {
    const aside = asidePath(join(this.root, 'tmp', 'dropped'));
    await rename(this.#place(id), aside).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    await removeTree(aside);
  }

  async #bytesOf(id: Sha256): Promise<number | undefined> {
    const facts = await stat(join(this.#place(id), 'image')).catch(() => undefined);
    return facts === undefined ? undefined : facts.blocks * 512;
  }

  #claimed<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return withClaim(join(this.root, 'store.lock'), { clock: this.#clock, signal }, work);
  }

  #place(id: Sha256): string {
    return join(this.root, 'trees', id);
  }

  #alias(app: Guid): string {
    return join(this.root, 'apps', app);
  }
}

/** Whatever is written to a file, the kernel changes this. */
async function identityOf(image: string): Promise<string> {
  const { ino, size, mtimeNs, ctimeNs } = await stat(image, { bigint: true });
  return [ino, size, mtimeNs, ctimeNs].join(' ');
}

async function idIn(alias: string): Promise<Sha256 | undefined> {
  const text = await readFile(alias, 'utf8').catch(() => '');
  const parsed = aliasSchema.safeParse(parseJson(text)).data;
  return parsed === undefined ? undefined : parseSha256(parsed.id);
}
