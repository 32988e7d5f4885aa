/** A zip, jar or war as a source: its central directory is read twice, first to judge, then to hand out. */

import { Pace } from '../../machine/host/pace.ts';
import { throwIfCancelled } from '../../words/errors.ts';
import { isRefused, parseRelPath, type RelPath } from '../../words/ids.ts';
import type { ArchiveFile } from './archive-file.ts';
import { checked } from './content.ts';
import { emptySource } from './empty.ts';
import type { Source, SourceEntry } from './entry.ts';
import { IGNORE_FILE, type IgnoreRules } from './ignore.ts';
import { type SourceLimits, Tally, tooManyEntries } from './limits.ts';
import { Refusals } from './refusals.ts';
import { Shape } from './shape.ts';
import { Summary } from './summary.ts';
import { openZip, WITHOUT_PASSWORD, type ZipItem, type ZipReader } from './zip-reader.ts';

/** Mode of files in a zip that carries none, and of all files for `cf` (cf-cli-wire.md 3.2.2). */
const CF_FILE_MODE = 0o744;
const CF_DIRECTORY_MODE = 0o755;
/** Longest link target, as the kernel's PATH_MAX. */
const MAX_TARGET_BYTES = 4096;

/** What {@link ZipSource} needs. */
export interface ZipInput {
  readonly file: ArchiveFile;
  readonly limits: SourceLimits;
  /** Compiles the rules once the archive's own ignore file (or none) is known. */
  readonly rulesOf: (file: { readonly text: string; readonly path: string } | undefined) => IgnoreRules;
}

interface Scan {
  /** 1 for the items, by position, that are handed out. */
  readonly kept: Uint8Array;
  readonly links: ReadonlyMap<string, string>;
  readonly refusals: Refusals;
  readonly summary: Summary;
}

/** See {@link Source}. */
export class ZipSource implements Source {
  readonly kind = 'zip';
  readonly description: string;
  readonly #input: ZipInput;
  #scanned: Scan | undefined;
  #compiled: IgnoreRules | undefined;

  constructor(input: ZipInput) {
    this.#input = input;
    this.description = input.file.description;
  }

  async *entries(options: { readonly signal: AbortSignal }): AsyncGenerator<SourceEntry, void, undefined> {
    const { kept, links, refusals, summary } = await this.#scan(options.signal);
    refusals.throwIfAny(this.description);
    if (summary.kept === 0) throw emptySource(this.description, summary);
    const zip = await this.#open();
    try {
      let index = -1;
      for await (const item of zip.items()) {
        throwIfCancelled(options.signal);
        index += 1;
        if (kept[index] !== 1) continue;
        const path = parseRelPath(item.name);
        if (item.kind === 'directory') await checkedDirectory(item, this.#input.file);
        if (!isRefused(path)) yield this.#toEntry(item, path, links);
      }
    } finally {
      await zip.close();
    }
  }

  async hints(options: { readonly signal: AbortSignal }): Promise<readonly string[]> {
    return (await this.#scan(options.signal)).summary.hints(this.description, this.kind);
  }

  /** The rules, the archive's own ignore file included. */
  async rules(): Promise<IgnoreRules> {
    this.#compiled ??= this.#input.rulesOf(await this.#ignoreFile());
    return this.#compiled;
  }

  async #scan(signal: AbortSignal): Promise<Scan> {
    throwIfCancelled(signal);
    if (this.#scanned !== undefined) return this.#scanned;
    const rules = await this.rules();
    const zip = await this.#open();
    try {
      const scan = new ZipScan(this.#input, zip.declaredEntries);
      const pace = new Pace(signal);
      for await (const item of zip.items()) {
        if (pace.spent) await pace.rest();
        await scan.take(item, rules);
      }
      scan.refusals.addLinks(scan.links);
      this.#scanned = scan;
      return scan;
    } finally {
      await zip.close();
    }
  }

  /** Ignored entries cost the app nothing, but reading past them is: twice the limit may be in the archive. */
  async #open(): Promise<ZipReader> {
    const zip = await openZip(this.#input.file);
    const { maxEntries } = this.#input.limits;
    if (zip.declaredEntries <= maxEntries * 2) return zip;
    await zip.close();
    throw tooManyEntries(this.description, maxEntries, zip.declaredEntries);
  }

  /** The first entry whose name ends in `.cfignore`, at any depth: so the client takes it. */
  async #ignoreFile(): Promise<{ text: string; path: string } | undefined> {
    const zip = await this.#open();
    try {
      for await (const item of zip.items()) {
        if (!item.name.endsWith(IGNORE_FILE) || item.kind !== 'file') continue;
        const text = await readSmall(item, this.#input.limits.maxIgnoreFileBytes, this.#input.file);
        return { text, path: item.name };
      }
      return undefined;
    } finally {
      await zip.close();
    }
  }

  #toEntry(item: ZipItem, path: RelPath, links: ReadonlyMap<string, string>): SourceEntry {
    const { mtimeMs, sizeBytes, unixMode: mode } = item;
    if (item.kind === 'symlink') return { kind: 'symlink', path, target: links.get(path) ?? '', mtimeMs };
    if (item.kind === 'directory') {
      // A directory its owner can't enter could not be filled.
      return { kind: 'directory', path, mode: (mode ?? CF_DIRECTORY_MODE) | 0o700, mtimeMs };
    }
    const open = async () => checkedItem(item, this.#input.file);
    return { kind: 'file', path, mode: mode ?? CF_FILE_MODE, sizeBytes, mtimeMs, open };
  }
}

/** The first pass: decides for each item whether it is handed out. */
class ZipScan implements Scan {
  readonly kept: Uint8Array;
  readonly links = new Map<string, string>();
  readonly refusals = new Refusals();
  readonly summary = new Summary();
  readonly #input: ZipInput;
  readonly #shape = new Shape();
  readonly #tally: Tally;
  #index = -1;

  constructor(input: ZipInput, declaredEntries: number) {
    this.#input = input;
    this.kept = new Uint8Array(declaredEntries);
    this.#tally = new Tally(input.limits, input.file.description);
  }

  async take(item: ZipItem, rules: IgnoreRules): Promise<void> {
    this.#index += 1;
    if (/^(?:\.?\/)+$/.test(item.name)) return;
    const verdict = rules.explain(item.name, item.kind === 'directory' ? 'directory' : 'other');
    if (verdict.ignored) {
      this.summary.ignore(verdict);
      return;
    }
    const path = parseRelPath(item.name);
    const problem = isRefused(path) ? path.refused : problemOf(item);
    if (isRefused(path) || problem !== undefined) {
      const packed = item.encrypted || !item.readable;
      this.refusals.add(item.name, problem ?? 'refused', packed ? WITHOUT_PASSWORD : undefined);
    } else await this.#place(item, path);
  }

  async #place(item: ZipItem, path: RelPath): Promise<void> {
    if (item.kind === 'special') return;
    const placed = this.#shape.place(path, item.kind, `${item.crc32}:${item.sizeBytes}`);
    this.#tally.setEntries(this.#shape.size);
    if (placed.place === 'refused') this.refusals.add(item.name, placed.reason);
    if (placed.place !== 'new') return;
    if (item.kind === 'file') this.#tally.addBytes(item.sizeBytes);
    if (item.kind === 'symlink')
      this.links.set(path, await readSmall(item, MAX_TARGET_BYTES, this.#input.file));
    this.kept[this.#index] = 1;
    this.summary.keep(path, item.kind);
  }
}

function problemOf(item: ZipItem): string | undefined {
  if (item.kind === 'special') return 'is a device, pipe or socket';
  if (item.kind === 'directory') return item.sizeBytes > 0 ? 'is a directory with content' : undefined;
  if (item.encrypted) return 'is encrypted';
  return item.readable ? undefined : `is compressed with ${methodOf(item)}, which is not deflate`;
}

/** Methods by the names that tools give them. */
const METHODS: Readonly<Record<number, string>> = {
  1: 'shrink',
  6: 'implode',
  9: 'deflate64',
  12: 'bzip2',
  14: 'LZMA',
  93: 'zstd',
  95: 'xz',
  96: 'JPEG',
  97: 'WavPack',
  98: 'PPMd',
  99: 'AES',
};

function methodOf({ method }: ZipItem): string {
  const name = METHODS[method];
  return name === undefined ? `method ${method}` : `${name} (method ${method})`;
}

async function checkedDirectory(item: ZipItem, file: ArchiveFile): Promise<void> {
  await item.check().catch((cause: unknown) => {
    throw file.damaged("can't be read", { entry: item.name, cause });
  });
}

async function checkedItem(item: ZipItem, file: ArchiveFile) {
  const raw = await item.open().catch((cause: unknown) => {
    throw file.damaged("can't be read", { entry: item.name, cause });
  });
  return checked(raw, {
    sizeBytes: item.sizeBytes,
    crc32: item.crc32,
    failure: (what, cause) => file.damaged(what, { entry: item.name, cause }),
  });
}

async function readSmall(item: ZipItem, limit: number, file: ArchiveFile): Promise<string> {
  const problem = problemOf(item);
  if (problem !== undefined) throw file.damaged(problem, { entry: item.name, next: WITHOUT_PASSWORD });
  if (item.sizeBytes > limit) {
    throw file.damaged(`has ${item.sizeBytes} bytes; the limit is ${limit}`, { entry: item.name });
  }
  const chunks: Buffer[] = [];
  for await (const chunk of await checkedItem(item, file)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
