/**
 * Unpacking tar (plain, gzip, xz, zstd), zip and Debian packages without tools of the stack.
 *
 * Archives are hostile until shown otherwise: no entry is written outside the target, none through a link that
 * an earlier entry made, and links must point inside.
 */
import {
  closeSync,
  createReadStream,
  fchmodSync,
  fstatSync,
  futimesSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, matchesGlob, posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { debData } from './ar.ts';
import { BuildpackFailure, errnoOf } from './failure.ts';
import { eachZipEntry } from './zip.ts';

/** New path of an entry, or undefined to leave it out. */
export type Pick = (path: string) => string | undefined;

/** One entry, as any archive has it. */
export interface ArchiveEntry {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink';
  readonly mode: number;
  readonly sizeBytes: number;
  /** Kept, so that a dependency is the same in every staging. */
  readonly modified: Date;
  /** Target of a link. */
  readonly target?: string;
  /** Content of a file. */
  readonly body?: AsyncIterable<Uint8Array>;
}

/** What becomes of the entries. */
export interface UnpackOptions {
  /** Leading path segments to drop. */
  readonly strip?: number;
  readonly pick?: Pick;
  /** Patterns of paths (after strip and pick) that become executable: zips made by Java or Go have no modes. */
  readonly executable?: readonly string[];
}

/** Wheels, jars and wars are zips. */
const ZIPS = /\.(zip|whl|jar|war)$/;

/** Whether {@link unpack} knows a file of this name. */
export function isArchive(name: string): boolean {
  return ZIPS.test(name) || /\.(tgz|tar|tar\.gz|tar\.xz|tar\.zst|deb)$/.test(name);
}

/**
 * Unpacks `archive`, whose name's ending says its kind, into `target`.
 *
 * @throws BuildpackFailure for an entry that would leave `target`, a damaged archive or an unknown kind.
 */
export async function unpack(archive: string, target: string, options: UnpackOptions = {}): Promise<void> {
  await mkdir(target, { recursive: true });
  const writer = new EntryWriter(archive, target, options);
  if (ZIPS.test(archive)) return eachZipEntry(archive, (entry) => writer.write(entry));
  // Loaded when something is unpacked: most steps of a restaging unpack nothing, and loading takes as long as some of them.
  const { extract } = await import('tar-stream');
  const tar = extract();
  const source = await tarBytes(archive);
  const feeding = pipeline(source, tar);
  // The loop below reports what goes wrong; without this a failure in between would be unhandled.
  feeding.catch(() => undefined);
  for await (const entry of tar) {
    const { name, type, mode, linkname, size, mtime } = entry.header;
    const kind = KINDS[type ?? 'file'];
    if (kind === undefined) throw new BuildpackFailure(`${archive}: ${name} is a ${type}, which is refused`);
    const link = linkname === undefined || linkname === null ? {} : { target: linkname };
    await writer.write({
      path: name,
      kind,
      mode: mode ?? 0o644,
      sizeBytes: size ?? 0,
      modified: mtime ?? new Date(0),
      body: bytesOf(entry),
      ...link,
    });
    entry.resume();
  }
  await feeding;
}

async function* bytesOf(entry: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of entry) if (chunk instanceof Uint8Array) yield chunk;
}

const KINDS: Readonly<Record<string, ArchiveEntry['kind']>> = {
  file: 'file',
  'contiguous-file': 'file',
  directory: 'directory',
  symlink: 'symlink',
  link: 'hardlink',
};

async function tarBytes(archive: string): Promise<Readable> {
  if (!archive.endsWith('.deb'))
    return decompress(createReadStream(archive, { highWaterMark: CHUNK }), archive);
  const { name, start, end } = await debData(archive);
  return decompress(createReadStream(archive, { start, end, highWaterMark: CHUNK }), name);
}

/** Large blocks: with the default of 16 KB, half of the time went into hand-overs (Node's own package: 11 s). */
const CHUNK = 512 * 1024;

/** The plain bytes of a stream that is packed as the ending of `name` says. */
export function decompress(source: Readable, name: string): Readable {
  if (/\.(tgz|gz)$/.test(name)) return through(source, createGunzip({ chunkSize: CHUNK }));
  if (name.endsWith('.zst')) return through(source, createZstdDecompress({ chunkSize: CHUNK }));
  if (name.endsWith('.xz')) return Readable.from(unxz(Readable.toWeb(source)));
  if (name.endsWith('.tar')) return source;
  throw new BuildpackFailure(`${name} is packed in an unknown way`);
}

async function* unxz(packed: ReturnType<typeof Readable.toWeb>): AsyncGenerator<Uint8Array> {
  const { default: xz } = await import('xz-decompress');
  yield* new xz.XzReadableStream(packed);
}

function through(source: Readable, step: NodeJS.ReadWriteStream & Readable): Readable {
  source.once('error', (error) => step.destroy(error));
  return source.pipe(step);
}

/**
 * Synchronous: nothing else runs in a buildpack's process, and with a promise for each call a package of 2,000 files
 * took ten times as long.
 */
class EntryWriter {
  readonly #archive: string;
  readonly #root: string;
  readonly #strip: number;
  readonly #pick: Pick;
  readonly #executable: readonly string[];
  /** Directories known to be real; a later entry that would replace one fails at rm. */
  readonly #made = new Set<string>();

  constructor(archive: string, root: string, options: UnpackOptions) {
    this.#archive = archive;
    this.#root = root;
    this.#strip = options.strip ?? 0;
    this.#pick = options.pick ?? ((path) => path);
    this.#executable = options.executable ?? [];
  }

  async write(entry: ArchiveEntry): Promise<void> {
    const path = this.#place(entry.path);
    if (path === undefined) return;
    const at = join(this.#root, path);
    this.#makeParents(dirname(path));
    if (entry.kind === 'directory') {
      this.#makeParents(path);
      return;
    }
    this.#clear(at);
    if (entry.kind === 'symlink') this.#symlink(entry, path, at);
    else if (entry.kind === 'hardlink') this.#hardLink(entry, at);
    else await this.#file(entry, path, at);
  }

  async #file(entry: ArchiveEntry, path: string, at: string): Promise<void> {
    const runs = this.#executable.some((pattern) => matchesGlob(path, pattern));
    await this.#writeFile(runs ? { ...entry, mode: entry.mode | 0o111 } : entry, at);
  }

  async #writeFile(entry: ArchiveEntry, at: string): Promise<void> {
    // Never setuid, and the owner can always replace it.
    const mode = (entry.mode & 0o777) | 0o600;
    const file = openSync(at, 'wx', mode);
    try {
      fchmodSync(file, mode);
      for await (const chunk of entry.body ?? []) writeFully(file, chunk);
      futimesSync(file, entry.modified, entry.modified);
      const { size } = fstatSync(file);
      if (size !== entry.sizeBytes) {
        throw this.#refusal(entry.path, `has ${size} bytes instead of ${entry.sizeBytes}`);
      }
    } finally {
      closeSync(file);
    }
  }

  /** Only what this run did not find empty can be in the way. */
  #clear(at: string): void {
    if (lstatSync(at, { throwIfNoEntry: false }) !== undefined) rmSync(at, { force: true });
  }

  /** Clean path below the root, or undefined for what is left out. */
  #place(raw: string): string | undefined {
    if (raw.startsWith('/') || raw.includes('\0') || raw.split('/').includes('..')) {
      throw this.#refusal(raw, 'leaves the target directory');
    }
    const segments = raw.split('/').filter((part) => part !== '' && part !== '.');
    const kept = segments.slice(this.#strip);
    if (kept.length === 0) return undefined;
    const picked = this.#pick(kept.join('/'));
    return picked === undefined || picked === '' ? undefined : picked;
  }

  /**
   * A package of Debian means its own file by `/etc/x`: the link gets the way to the copy. Where the package has no such
   * file the link is left out with it.
   */
  #symlink(entry: ArchiveEntry, path: string, at: string): void {
    const target = entry.target ?? '';
    if (!target.startsWith('/') || !this.#archive.endsWith('.deb')) {
      symlinkSync(this.#inside(path, target), at);
      return;
    }
    const place = this.#place(posix.normalize(target).slice(1));
    if (place === undefined) return;
    const way = posix.relative(posix.dirname(path), place);
    symlinkSync(this.#inside(path, way), at);
  }

  #inside(path: string, target: string): string {
    const resolved = posix.normalize(posix.join(posix.dirname(path), target));
    if (target === '' || target.startsWith('/') || resolved === '..' || resolved.startsWith('../')) {
      throw this.#refusal(path, `links to ${target}, which leaves the target directory`);
    }
    return target;
  }

  #hardLink(entry: ArchiveEntry, at: string): void {
    const existing = this.#place(entry.target ?? '');
    if (existing === undefined) return;
    this.#makeParents(dirname(existing));
    const source = join(this.#root, existing);
    if (!lstatSync(source).isFile())
      throw this.#refusal(entry.path, `links to ${existing}, which is not a file`);
    linkSync(source, at);
  }

  /** Makes directories one by one, so that none of them is a link of this archive's making. */
  #makeParents(path: string): void {
    if (this.#made.has(path)) return;
    let at = this.#root;
    for (const segment of path.split('/')) {
      if (segment === '.' || segment === '') continue;
      at = join(at, segment);
      try {
        mkdirSync(at);
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
        if (!lstatSync(at).isDirectory())
          throw this.#refusal(path, `writes through ${at}, which is not a directory`);
      }
    }
    this.#made.add(path);
  }

  #refusal(path: string, why: string): BuildpackFailure {
    return new BuildpackFailure(`${this.#archive}: entry ${path} ${why}`, {
      next: 'The archive was not used. Report it to whoever made it.',
    });
  }
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}
