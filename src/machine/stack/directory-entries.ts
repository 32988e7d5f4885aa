/** Copies a root file system that is in a directory, such as one that debootstrap made. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfCancelled } from '../../words/errors.ts';
import type { StackEntry, StackWriter } from './stack-writer.ts';

/** Below a root file system, but never of it: they are made again for every sandbox. */
const SKIPPED: ReadonlySet<string> = new Set(['proc', 'sys', 'dev']);

/**
 * Copies `from` and returns the sha256 of what was copied: paths, kinds, modes, targets and content in the order
 * of names.
 */
export async function copyDirectory(from: string, into: StackWriter, signal: AbortSignal): Promise<string> {
  const copy = new Copy(from, into, signal);
  await copy.directory('');
  return copy.digest();
}

class Copy {
  readonly #from: string;
  readonly #into: StackWriter;
  readonly #signal: AbortSignal;
  readonly #hash = createHash('sha256');
  /** Files with several names: device and inode → first path. */
  readonly #linked = new Map<string, string>();

  constructor(from: string, into: StackWriter, signal: AbortSignal) {
    this.#from = from;
    this.#into = into;
    this.#signal = signal;
  }

  digest(): string {
    return this.#hash.digest('hex');
  }

  async directory(path: string): Promise<void> {
    const names = (await readdir(join(this.#from, path))).sort();
    for (const name of names) {
      throwIfCancelled(this.#signal);
      if (path === '' && SKIPPED.has(name)) continue;
      const below = path === '' ? name : `${path}/${name}`;
      const stats = await lstat(join(this.#from, below));
      await this.#entry(below, stats);
      if (stats.isDirectory()) await this.directory(below);
    }
  }

  async #entry(path: string, stats: Stats): Promise<void> {
    const host = join(this.#from, path);
    const entry = await this.#describe(path, stats);
    this.#hash.update(`${JSON.stringify([path, entry.kind, entry.mode, entry.target ?? ''])}\n`);
    if (entry.kind !== 'file') return await this.#into.write(entry);
    const content = createHash('sha256');
    await this.#into.write({ ...entry, content: hashed(createReadStream(host), content) });
    this.#hash.update(content.digest());
  }

  async #describe(path: string, stats: Stats): Promise<StackEntry> {
    const mode = stats.mode & 0o7777;
    if (stats.isDirectory()) return { path, kind: 'directory', mode };
    if (stats.isSymbolicLink()) {
      return { path, kind: 'symlink', mode, target: await readlink(join(this.#from, path)) };
    }
    if (!stats.isFile()) return { path, kind: 'special', mode };
    const inode = `${stats.dev}:${stats.ino}`;
    const first = this.#linked.get(inode);
    if (first !== undefined) return { path, kind: 'hardlink', mode, target: first };
    if (stats.nlink > 1) this.#linked.set(inode, path);
    return { path, kind: 'file', mode };
  }
}

async function* hashed(chunks: AsyncIterable<Buffer>, hash: Hash): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}
