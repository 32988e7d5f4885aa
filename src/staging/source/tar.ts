/**
 * A .tar or .tar.gz as a source. It can only be read from its start, so it is read twice: headers and the ignore
 * file first, then content.
 */
import type { Readable } from 'node:stream';
import { throwIfCancelled } from '../../words/errors.ts';
import type { ArchiveFile } from './archive-file.ts';
import { checked } from './content.ts';
import { emptySource } from './empty.ts';
import type { Source, SourceEntry } from './entry.ts';
import { IGNORE_FILE, type IgnoreRules } from './ignore.ts';
import { type SourceLimits, tooManyEntries } from './limits.ts';
import { Spool } from './spool.ts';
import { readTar, type TarItem } from './tar-reader.ts';
import { headerOf, type Plan, type TarHeader, TarScan } from './tar-scan.ts';

/** Header, long name and padding of one entry, generously. */
const OVERHEAD_BYTES = 16_384;

/** What {@link TarSource} needs. */
export interface TarInput {
  readonly file: ArchiveFile;
  readonly gzip: boolean;
  readonly limits: SourceLimits;
  /** Where the content of hard-linked files is kept while their copies are handed out. */
  readonly tempRoot: string;
  readonly rulesOf: (file: { readonly text: string; readonly path: string } | undefined) => IgnoreRules;
}

/** See {@link Source}. */
export class TarSource implements Source {
  readonly kind = 'tar';
  readonly description: string;
  readonly #input: TarInput;
  #scanned: TarScan | undefined;

  constructor(input: TarInput) {
    this.#input = input;
    this.description = input.file.description;
  }

  async *entries(options: { readonly signal: AbortSignal }): AsyncGenerator<SourceEntry, void, undefined> {
    const scan = await this.#scan(options.signal);
    scan.refusals.throwIfAny(this.description);
    if (scan.summary.kept === 0) throw emptySource(this.description, scan.summary);
    const spool = new Spool(this.#input.tempRoot);
    try {
      let index = -1;
      for await (const item of this.#items(options.signal)) {
        index += 1;
        if (scan.isShared(index)) await spool.keep(index, this.#contentOf(item));
        const plan = scan.plan(index);
        if (plan !== undefined)
          yield this.#toEntry(plan, item, spool.at(plan.as === 'copy' ? plan.original.index : index));
        item.content.resume();
      }
    } finally {
      await spool.remove();
    }
  }

  async hints(options: { readonly signal: AbortSignal }): Promise<readonly string[]> {
    return (await this.#scan(options.signal)).summary.hints(this.description, this.kind);
  }

  /** The rules, the archive's own `.cfignore` (at its top) included. */
  async rules(signal: AbortSignal): Promise<IgnoreRules> {
    return (await this.#scan(signal)).rules;
  }

  async #scan(signal: AbortSignal): Promise<TarScan> {
    throwIfCancelled(signal);
    if (this.#scanned !== undefined) return this.#scanned;
    const { limits } = this.#input;
    const headers: TarHeader[] = [];
    let ignoreFile: { text: string; path: string } | undefined;
    for await (const item of this.#items(signal)) {
      const header = headerOf(item.header);
      headers.push(header);
      if (headers.length > limits.maxEntries) {
        throw tooManyEntries(this.description, limits.maxEntries, headers.length);
      }
      if (ignoreFile === undefined && header.type === 'file' && /^(?:\.\/)*\.cfignore$/.test(header.name)) {
        ignoreFile = { text: await this.#readSmall(item), path: IGNORE_FILE };
      }
      item.content.resume();
    }
    const scan = new TarScan(this.#input.rulesOf(ignoreFile), limits, this.description);
    for (const header of headers) scan.take(header);
    scan.refusals.addLinks(scan.links);
    this.#scanned = scan;
    return scan;
  }

  #items(signal: AbortSignal): AsyncGenerator<TarItem, void, undefined> {
    const { limits, gzip, file } = this.#input;
    const maxStreamBytes = limits.maxBytes + limits.maxEntries * OVERHEAD_BYTES;
    return readTar(file, {
      gzip,
      maxStreamBytes,
      ...(limits.raise !== undefined && { raise: limits.raise }),
      signal,
    });
  }

  #toEntry(plan: Plan, item: TarItem, spooled: (() => Readable) | undefined): SourceEntry {
    const { path } = plan;
    const facts = plan.as === 'copy' ? plan.original : headerOf(item.header);
    const { mtimeMs, sizeBytes, mode } = facts;
    switch (plan.as) {
      case 'symlink':
        return { kind: 'symlink', path, target: plan.target, mtimeMs };
      case 'directory':
        // A directory its owner can't enter could not be filled.
        return { kind: 'directory', path, mode: mode | 0o700, mtimeMs };
      case 'file':
      case 'copy': {
        const file = { kind: 'file', path, mode, sizeBytes, mtimeMs } as const;
        return { ...file, open: async () => spooled?.() ?? this.#contentOf(item) };
      }
    }
  }

  #contentOf(item: TarItem): Readable {
    const { name } = item.header;
    return checked(item.content, {
      sizeBytes: item.header.size ?? 0,
      failure: (what, cause) => this.#input.file.damaged(what, { entry: name, cause }),
    });
  }

  async #readSmall(item: TarItem): Promise<string> {
    const size = item.header.size ?? 0;
    const limit = this.#input.limits.maxIgnoreFileBytes;
    if (size > limit) {
      throw this.#input.file.damaged(`has ${size} bytes; the limit is ${limit}`, { entry: item.header.name });
    }
    const chunks: Buffer[] = [];
    for await (const chunk of this.#contentOf(item)) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  }
}
