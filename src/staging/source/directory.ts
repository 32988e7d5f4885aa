/**
 * A directory as a source.
 *
 * Two passes: the first only lists (names and types, no stat) and finds everything unsafe, so that the failure
 * names all of it before the first entry is handed out; the second yields. What vanished or became something else
 * between them is SOURCE_CHANGED. The names of the first pass are kept, except for very large apps, so that directories
 * and rules are gone through once: two thirds of what an unchanged app costs (bench/packages.ts). As text: an object for
 * each keeps the collector busy.
 */
import { lstatSync, readlinkSync } from 'node:fs';
import { Pace } from '../../machine/host/pace.ts';
import { throwIfCancelled } from '../../words/errors.ts';
import { changedWhileRead, openHostFile, unreadable } from './content.ts';
import { emptySource } from './empty.ts';
import type { Source, SourceEntry } from './entry.ts';
import type { IgnoreRules } from './ignore.ts';
import { type SourceLimits, Tally } from './limits.ts';
import { Refusals } from './refusals.ts';
import { Summary } from './summary.ts';
import { type Found, type Kept, WalkedPaths, walk } from './walk.ts';

/** What {@link DirectorySource} needs. */
export interface DirectoryInput {
  readonly description: string;
  /** Real path; no link in it. */
  readonly root: string;
  readonly rules: IgnoreRules;
  readonly limits: SourceLimits;
}

/** More entries than this (100 bytes each) are listed again instead. */
const REMEMBERED = 150_000;

interface Scan {
  /** What the second pass yields; undefined for more than {@link REMEMBERED}. */
  readonly kept: WalkedPaths | undefined;
  readonly links: ReadonlyMap<string, string>;
  readonly refusals: Refusals;
  readonly summary: Summary;
}

/** See {@link Source}. */
export class DirectorySource implements Source {
  readonly kind = 'directory';
  readonly description: string;
  readonly #input: DirectoryInput;
  #scanned: Scan | undefined;

  constructor(input: DirectoryInput) {
    this.#input = input;
    this.description = input.description;
  }

  async *entries(options: { readonly signal: AbortSignal }): AsyncGenerator<SourceEntry, void, undefined> {
    const scan = await this.#scan(options.signal);
    scan.refusals.throwIfAny(this.description);
    if (scan.summary.kept === 0) throw emptySource(this.description, scan.summary);
    const tally = new Tally(this.#input.limits, this.description);
    const pace = new Pace(options.signal);
    for (const found of scan.kept ?? walk(this.#input.root, this.#input.rules)) {
      if (pace.spent) await pace.rest();
      if (found.verdict === 'ignored') continue;
      const entry = this.#toEntry(found, scan.links);
      tally.setEntries(tally.entries + 1);
      if (entry.kind === 'file') tally.addBytes(entry.sizeBytes);
      yield entry;
    }
  }

  async hints(options: { readonly signal: AbortSignal }): Promise<readonly string[]> {
    return (await this.#scan(options.signal)).summary.hints(this.description, this.kind);
  }

  async #scan(signal: AbortSignal): Promise<Scan> {
    throwIfCancelled(signal);
    if (this.#scanned !== undefined) return this.#scanned;
    let kept: WalkedPaths | undefined = new WalkedPaths();
    const links = new Map<string, string>();
    const refusals = new Refusals();
    const summary = new Summary();
    const tally = new Tally(this.#input.limits, this.description);
    const pace = new Pace(signal);
    for (const found of walk(this.#input.root, this.#input.rules)) {
      if (pace.spent) await pace.rest();
      if (found.verdict === 'ignored') summary.ignore(found.by);
      else if (found.verdict === 'refused') refusals.add(found.path, found.reason);
      else if (found.kind === 'special') refusals.add(found.path, `is a ${found.type}`);
      else {
        if (found.kind === 'symlink') links.set(found.path, this.#targetOf(found.path));
        summary.keep(found.path, found.kind);
        kept?.add(found.path);
        if (summary.kept > REMEMBERED) kept = undefined;
        tally.setEntries(summary.kept);
      }
    }
    refusals.addLinks(links);
    this.#scanned = { kept, links, refusals, summary };
    return this.#scanned;
  }

  #toEntry(
    found: Exclude<Found, { verdict: 'ignored' }> | Pick<Kept, 'verdict' | 'path'>,
    links: Scan['links'],
  ): SourceEntry {
    if (found.verdict === 'refused') throw changedWhileRead(found.path, found.reason);
    const { path } = found;
    const hostPath = `${this.#input.root}/${path}`;
    const stat = this.#attempt(path, () => lstatSync(hostPath, { bigint: true }));
    const { mtimeNs, ctimeNs, ino: inode } = stat;
    const mtimeMs = Number(mtimeNs) / 1e6;
    const mode = Number(stat.mode) & 0o777;
    if (stat.isFile()) {
      const sizeBytes = Number(stat.size);
      const open = () => openHostFile(hostPath, path, sizeBytes);
      const full = { mtimeNs, ctimeNs, inode };
      return { kind: 'file', path, mode, sizeBytes, mtimeMs, hostPath, open, stat: full };
    }
    // No buildpack could work in what its owner may not write; cf push makes all of them 0755.
    if (stat.isDirectory()) return { kind: 'directory', path, mode: mode | 0o700, mtimeMs };
    if (!stat.isSymbolicLink()) throw changedWhileRead(path, 'is no longer a file, directory or link');
    const target = this.#targetOf(path);
    if (links.get(path) !== target) throw changedWhileRead(path, 'is a link that was made or moved');
    return { kind: 'symlink', path, target, mtimeMs };
  }

  #targetOf(path: string): string {
    return this.#attempt(path, () => readlinkSync(`${this.#input.root}/${path}`));
  }

  #attempt<T>(path: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw unreadable(path, error);
    }
  }
}
