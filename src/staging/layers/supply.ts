/** The contents of a package's entries, for those that are asked for. */

import type { ListedEntry } from '../package/listing.ts';
import { openHostFile } from '../source/content.ts';
import type { Source, SourceEntry } from '../source/entry.ts';
import type { LayerEntry } from './entry-records.ts';

/** What a package lists, and where its files are. */
export interface Listed {
  /** How many entries there are. */
  readonly count: number;
  /** In path order; may be gone through once. */
  readonly entries: Iterable<ListedEntry> | AsyncIterable<ListedEntry>;
  /** For who does not want them. */
  readonly close?: () => void;
  /** With a path of the package it gives the host's; absent for archives and stored packages. */
  readonly hostRoot?: string;
}

/** Gives entries with their content, for those that are asked for; each content is what was packaged, or fails. */
export type EntrySupply = (wanted: Iterable<LayerEntry>) => AsyncIterable<SourceEntry>;

/** Of a directory only what is wanted is looked at; all else is gone through. */
export function supplyOf(source: Source, hostRoot: string | undefined, signal: AbortSignal): EntrySupply {
  if (hostRoot !== undefined) return (wanted) => fromHost(wanted, hostRoot);
  return (wanted) => fromSource(wanted, source, signal);
}

async function* fromHost(wanted: Iterable<LayerEntry>, hostRoot: string): AsyncGenerator<SourceEntry> {
  for (const entry of wanted) {
    if (entry.kind !== 'file') {
      yield* plain(entry);
      continue;
    }
    const { path, sizeBytes } = entry;
    const hostPath = `${hostRoot}${path}`;
    yield { ...entry, hostPath, open: () => openHostFile(hostPath, path, sizeBytes) };
  }
}

async function* fromSource(
  wanted: Iterable<LayerEntry>,
  source: Source,
  signal: AbortSignal,
): AsyncGenerator<SourceEntry> {
  const files = new Map<string, Extract<LayerEntry, { kind: 'file' }>>();
  for (const entry of wanted) {
    if (entry.kind === 'file') files.set(entry.path, entry);
    else yield* plain(entry);
  }
  if (files.size === 0) return;
  for await (const found of source.entries({ signal })) {
    const entry = files.get(found.path);
    if (entry === undefined || found.kind !== 'file') continue;
    yield { ...entry, ...(found.open !== undefined && { open: found.open }) };
  }
}

/** What follows from other entries is made with them. */
function* plain(entry: Exclude<LayerEntry, { kind: 'file' }>): Generator<SourceEntry> {
  if (entry.kind === 'symlink') yield entry;
  else if (entry.mtimeMs !== undefined) yield { ...entry, mtimeMs: entry.mtimeMs };
}
