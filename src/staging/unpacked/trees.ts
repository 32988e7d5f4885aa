/**
 * What buildpacks install (Node, npm), unpacked once on this machine and by digest: `unpacked/` in the data home, a
 * {@link ContentStore} that is verified at every use and swept of what nobody asked for in a month. It is unpacked out
 * here from an archive of known digest, and scripts see it read-only, so nothing that a script does can get into it.
 */
import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { fileChecksum } from '../../machine/host/file-digest.ts';
import { StagerError } from '../../words/errors.ts';
import { isRefused, parseRelPath, type RelPath } from '../../words/ids.ts';
import type { ContentStore, HeldTree, OnDamaged } from '../buildpack/acquire/content-store.ts';
import { ArchiveFile } from '../source/archive-file.ts';
import { checked } from '../source/content.ts';
import type { FileEntry, SourceEntry } from '../source/entry.ts';
import { readTar, type TarItem } from '../source/tar-reader.ts';
import { materialise } from '../workspace/materialise.ts';
import type { Wish } from './wish.ts';

/** Of one tree. Node with its headers has 3,200 files and 200 MB. */
const MAX_BYTES = 1024 ** 3;
const LIMITS = { maxEntries: 50_000, maxBytes: MAX_BYTES };

/** See the top of the file. */
export class UnpackedTrees {
  readonly #store: ContentStore;

  constructor(store: ContentStore) {
    this.#store = store;
  }

  /** The tree of a wish, held; undefined when there is none that is intact. */
  async hold({ key }: Wish, signal: AbortSignal, onDamaged: OnDamaged): Promise<HeldTree | undefined> {
    const digest = await this.#store.recall(key);
    return digest === undefined ? undefined : await this.#store.lease(digest, signal, onDamaged);
  }

  /**
   * Unpacks what is wished for, unless it is there. Nothing is visible before all of it is there.
   *
   * @throws StagerError when the archive is another one or is refused, HOST_DISK_FULL, CANCELLED.
   */
  async keep(wish: Wish, signal: AbortSignal): Promise<void> {
    const held = await this.hold(wish, signal, () => undefined);
    if (held !== undefined) return await held.release();
    await this.#makeSearchable();
    const scratch = await this.#store.scratch();
    try {
      const actual = await fileChecksum(wish.archive, wish.algorithm, signal);
      if (actual !== wish.digest) throw refused(wish, `its ${wish.algorithm} is ${actual}`);
      const source = { description: wish.archive, entries: () => chosen(wish, signal) };
      const tree = join(scratch.dir, 'tree');
      await mkdir(tree);
      await materialise(source, tree, { limits: LIMITS, signal });
      const made = await this.#store.adopt(tree, signal);
      await chmod(dirname(made.dir), 0o711);
      await this.#store.remember(wish.key, made.digest, signal);
      await made.release();
    } finally {
      await scratch.remove();
    }
  }

  /** Scripts, who are nobody out here, have to get through to what they see. */
  async #makeSearchable(): Promise<void> {
    for (const dir of [this.#store.root, join(this.#store.root, 'store')])
      await mkdir(dir, { recursive: true, mode: 0o711 });
  }

  /** Removes what was not used for long, and what dead processes left. */
  async sweep(signal: AbortSignal): Promise<void> {
    await this.#store.sweep(async () => new Set(), signal);
  }
}

/**
 * Entries as the kit's own unpacking would write them, in one pass. What an archive of a registry does not have (links
 * between files, links that lead out) is refused rather than understood.
 */
async function* chosen(wish: Wish, signal: AbortSignal): AsyncGenerator<SourceEntry> {
  const file = new ArchiveFile(wish.archive, wish.archive);
  for await (const { header, content } of readTar(file, { gzip: true, maxStreamBytes: MAX_BYTES, signal })) {
    const path = placeOf(header.name, wish);
    const entry = path === undefined ? undefined : entryOf(path, header, wish);
    if (entry?.kind === 'file') yield { ...entry, open: async () => checked(content, sizeOf(entry, wish)) };
    else if (entry !== undefined) yield entry;
    content.resume();
  }
}

const sizeOf = ({ sizeBytes }: { readonly sizeBytes: number }, wish: Wish) => ({
  sizeBytes,
  failure: (what: string) => refused(wish, what),
});

function entryOf(path: RelPath, header: TarItem['header'], wish: Wish): FileEntry {
  const { mtime, type, size = 0, mode = 0o644, linkname } = header;
  const mtimeMs = mtime?.getTime() ?? 0;
  if (type === 'directory') return { kind: 'directory', path, mode: 0o755, mtimeMs };
  if (type === 'symlink' && linkname) {
    const target = posix.join(posix.dirname(path), linkname);
    if (!linkname.startsWith('/') && target !== '..' && !target.startsWith('../'))
      return { kind: 'symlink', path, target: linkname, mtimeMs };
    throw refused(wish, `${path} leads out of it`);
  }
  if (type !== 'file' && type !== 'contiguous-file') throw refused(wish, `${path} is a ${type}`);
  if ((mode & 0o004) === 0) throw refused(wish, `only its owner may read ${path}`);
  return { kind: 'file', path, mode: (mode & 0o777) | 0o600, sizeBytes: size, mtimeMs };
}

function placeOf(name: string, wish: Wish): RelPath | undefined {
  if (/^(?:\.?\/)*\.?$/.test(name)) return undefined;
  const path = parseRelPath(name);
  if (isRefused(path)) throw refused(wish, `${name} ${path.refused}`);
  const { strip, only } = wish;
  const place = parseRelPath(path.split('/').slice(strip).join('/'));
  if (isRefused(place)) return undefined;
  const isWanted = only === null || only.some((one) => place === one || place.startsWith(`${one}/`));
  return isWanted ? place : undefined;
}

function refused({ archive }: Wish, why: string): StagerError {
  return new StagerError('SOURCE_UNSAFE', `${archive} is not kept unpacked: ${why}`);
}
