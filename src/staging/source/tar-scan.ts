/** The first pass over a tar: headers only; decides what is handed out and finds everything unsafe. */
import type { Header } from 'tar-stream';
import { isRefused, parseRelPath, type RelPath } from '../../words/ids.ts';
import type { IgnoreRules } from './ignore.ts';
import { type SourceLimits, Tally } from './limits.ts';
import { Refusals } from './refusals.ts';
import { Shape } from './shape.ts';
import { Summary } from './summary.ts';

/** A file that hard links in the archive share. */
export interface Original {
  /** Position in the archive. */
  readonly index: number;
  readonly path: RelPath;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly mtimeMs: number;
}

/** What is done with one entry of the archive, by its position. */
export type Plan =
  | { readonly as: 'file'; readonly path: RelPath }
  | { readonly as: 'directory'; readonly path: RelPath }
  | { readonly as: 'symlink'; readonly path: RelPath; readonly target: string }
  /** A hard link: a copy of what `original` holds. */
  | { readonly as: 'copy'; readonly path: RelPath; readonly original: Original };

/** What is kept of a header until the archive's rules are known. */
export interface TarHeader {
  readonly name: string;
  readonly type: string;
  readonly linkname: string;
  readonly mode: number;
  readonly mtimeMs: number;
  readonly sizeBytes: number;
}

/** Collects one archive's plan. Memory grows with the number of entries, which the limits bound. */
export class TarScan {
  readonly links = new Map<string, string>();
  readonly refusals = new Refusals();
  readonly summary = new Summary();
  readonly #plans = new Map<number, Plan>();
  /** Files so far, ignored ones too: a hard link may keep what its first name lost. */
  readonly #files = new Map<string, Original>();
  readonly #shared = new Set<number>();
  readonly #shape = new Shape();
  readonly #tally: Tally;
  readonly rules: IgnoreRules;
  #index = -1;

  constructor(rules: IgnoreRules, limits: SourceLimits, where: string) {
    this.rules = rules;
    this.#tally = new Tally(limits, where);
  }

  /** The plan for the entry at `index`; undefined when it is left out. */
  plan(index: number): Plan | undefined {
    return this.#plans.get(index);
  }

  /** True when later hard links need the content of the entry at `index`. */
  isShared(index: number): boolean {
    return this.#shared.has(index);
  }

  take(header: TarHeader): void {
    this.#index += 1;
    if (/^(?:\.?\/)*\.?$/.test(header.name)) return;
    const path = parseRelPath(header.name);
    if (isRefused(path)) {
      this.refusals.add(header.name, path.refused);
      return;
    }
    const kind = header.type === 'contiguous-file' ? 'file' : header.type;
    if (kind === 'file') this.#files.set(path, { ...header, index: this.#index, path });
    const verdict = this.rules.explain(path, kind === 'directory' ? 'directory' : 'other');
    if (verdict.ignored) this.summary.ignore(verdict);
    else if (kind === 'link') this.#takeLink(path, header);
    else if (kind === 'file' || kind === 'directory' || kind === 'symlink')
      this.#takePlain(path, kind, header);
    else this.refusals.add(header.name, REFUSED_TYPES[kind] ?? 'is of a type that is not supported');
  }

  #takePlain(path: RelPath, kind: 'file' | 'directory' | 'symlink', header: TarHeader): void {
    if (kind === 'file') this.#tally.addBytes(header.sizeBytes);
    if (!this.#place(path, kind)) return;
    if (kind === 'file') this.#plans.set(this.#index, { as: 'file', path });
    else if (kind === 'directory') this.#plans.set(this.#index, { as: 'directory', path });
    else this.#placeSymlink(path, header.linkname);
  }

  #placeSymlink(path: RelPath, target: string): void {
    this.links.set(path, target);
    this.#plans.set(this.#index, { as: 'symlink', path, target });
  }

  #takeLink(path: RelPath, header: TarHeader): void {
    const target = parseRelPath(header.linkname);
    if (isRefused(target)) {
      this.refusals.add(header.name, `hard link to ${header.linkname || 'nothing'}, which ${target.refused}`);
      return;
    }
    const symlink = this.links.get(target);
    const seen = this.#files.get(target);
    if (symlink !== undefined) {
      if (this.#place(path, 'symlink')) this.#placeSymlink(path, symlink);
    } else if (seen === undefined) {
      this.refusals.add(header.name, `hard link to ${target}, which is not an earlier file of the archive`);
    } else {
      this.#tally.addBytes(seen.sizeBytes);
      if (!this.#place(path, 'file')) return;
      this.#shared.add(seen.index);
      this.#files.set(path, seen);
      this.#plans.set(this.#index, { as: 'copy', path, original: seen });
    }
  }

  #place(path: RelPath, kind: 'file' | 'directory' | 'symlink'): boolean {
    const placed = this.#shape.place(path, kind);
    this.#tally.setEntries(this.#shape.size);
    if (placed.place === 'refused') this.refusals.add(path, placed.reason);
    if (placed.place !== 'new') return false;
    this.summary.keep(path, kind);
    return true;
  }
}

/** The facts of a tar-stream header. */
export function headerOf(header: Header): TarHeader {
  return {
    name: header.name,
    type: isSparse(header) ? 'sparse' : (header.type ?? 'unknown'),
    linkname: header.linkname ?? '',
    mode: (header.mode ?? 0o644) & 0o777,
    mtimeMs: header.mtime?.getTime() || 0,
    sizeBytes: header.size ?? 0,
  };
}

/** Why a type is refused. */
const REFUSED_TYPES: Readonly<Record<string, string>> = {
  sparse: 'is a sparse file',
  'character-device': 'is a character device',
  'block-device': 'is a block device',
  fifo: 'is a named pipe',
};

/** pax 1.0 sparse files keep their map in the content, so the content is not the file. */
function isSparse(header: Header): boolean {
  if (!('pax' in header) || typeof header.pax !== 'object' || header.pax === null) return false;
  return Object.keys(header.pax).some((key) => key.startsWith('GNU.sparse.'));
}
