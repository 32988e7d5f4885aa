/**
 * What is known of files from an earlier run, so that an unchanged app is not read again: path, size, mtime and ctime in
 * nanoseconds and inode → digests, as in git's index.
 *
 * git's racy rule: a file that is changed twice within one tick of the file system's clock looks the same after the
 * second change. So a file whose times are not safely older than the moment before it was read is not remembered; it
 * is read again next time.
 *
 * Only a cache: whatever is wrong with the file on disk, it is taken for empty, and the next run is slower.
 */
import { randomBytes } from 'node:crypto';
import { type BigIntStats, lstatSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Digests } from '../blobs/digests.ts';
import { parseSha1, parseSha256 } from '../ids.ts';
import type { FileStat } from '../source/entry.ts';

const FIRST_LINE = 'stager stat cache 1';
/** The coarsest clocks of file systems tick every two seconds (FAT). */
const RACY_NS = 2_000_000_000n;

/** Digests of files that have not changed since they were last read. */
export class StatCache {
  readonly #path: string | undefined;
  #known: ReadonlyMap<string, string>;
  readonly #next = new Map<string, string>();
  #changed = false;

  private constructor(path: string | undefined, known: ReadonlyMap<string, string>) {
    this.#path = path;
    this.#known = known;
  }

  /** Reads the cache at `path`; without a path nothing is remembered. */
  static async open(path: string | undefined): Promise<StatCache> {
    if (path === undefined) return new StatCache(undefined, new Map());
    return new StatCache(path, parse(await readFile(path, 'utf8').catch(() => '')));
  }

  /** The digests of an unchanged file, which are kept for the next time. */
  get(path: string, stat: FileStat, sizeBytes: number): Digests | undefined {
    const line = this.#known.get(path);
    const prefix = identity(stat, sizeBytes);
    if (line === undefined || !line.startsWith(prefix)) return undefined;
    const digests = parseDigests(line.slice(prefix.length), sizeBytes);
    if (digests !== undefined) this.#next.set(path, line);
    return digests;
  }

  /** Remembers a file whose `stat` was taken before it was read; `nowNs` is the time before that. */
  set(path: string, file: { readonly stat: FileStat; readonly nowNs: bigint }, digests: Digests): void {
    const { stat, nowNs } = file;
    this.#changed = true;
    if (stat.mtimeNs > nowNs - RACY_NS || stat.ctimeNs > nowNs - RACY_NS) return;
    this.#next.set(path, `${identity(stat, digests.sizeBytes)}${digests.sha1}\t${digests.sha256}`);
  }

  /** Writes what was seen since {@link StatCache.open}, when it differs. A failure costs time next time, so none is shown. */
  async save(): Promise<void> {
    if (this.#path === undefined) return;
    if (!this.#changed && this.#next.size === this.#known.size) return;
    const lines = [FIRST_LINE];
    for (const [path, line] of this.#next) lines.push(`${line}\t${JSON.stringify(path)}`);
    const text = `${lines.join('\n')}\n`;
    const aside = `${this.#path}.${randomBytes(6).toString('hex')}`;
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      await writeFile(aside, `${text}end ${crc32(text)}\n`, { mode: 0o600 });
      await rename(aside, this.#path);
    } catch {
      await rm(aside, { force: true }).catch(() => undefined);
    }
    this.#known = new Map(this.#next);
  }
}

/** The current stat of a file for the cache, or undefined when it is gone. */
export function statOf(hostPath: string): (FileStat & { readonly sizeBytes: number }) | undefined {
  const stat: BigIntStats | undefined = lstatSync(hostPath, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return { mtimeNs: stat.mtimeNs, ctimeNs: stat.ctimeNs, inode: stat.ino, sizeBytes: Number(stat.size) };
}

function identity({ mtimeNs, ctimeNs, inode }: FileStat, sizeBytes: number): string {
  return `${sizeBytes}\t${mtimeNs}\t${ctimeNs}\t${inode}\t`;
}

function parseDigests(text: string, sizeBytes: number): Digests | undefined {
  const sha1 = parseSha1(text.slice(0, 40));
  const sha256 = parseSha256(text.slice(41));
  return sha1 === undefined || sha256 === undefined ? undefined : { sha1, sha256, sizeBytes };
}

function parse(text: string): Map<string, string> {
  const known = new Map<string, string>();
  const end = /end (\d+)\n$/.exec(text.slice(-20));
  const body = end === null ? '' : text.slice(0, text.length - end[0].length);
  if (end === null || Number(end[1]) !== crc32(body) || !body.startsWith(`${FIRST_LINE}\n`)) return known;
  for (let at = FIRST_LINE.length + 1; at < body.length; ) {
    const stop = body.indexOf('\n', at);
    const tab = body.indexOf('\t"', at);
    const path: unknown = JSON.parse(body.slice(tab + 1, stop));
    if (typeof path === 'string') known.set(path, body.slice(at, tab));
    at = stop + 1;
  }
  return known;
}
