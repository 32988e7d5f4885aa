/**
 * Lists of processes and sidecars, merged by type (buildpack-contracts.md 2.7). Pure, and free of parsers: the
 * drop-in programs start with it.
 */
import type { ResultSidecar } from '../../../words/result.ts';

/** A process, or a sidecar when `sidecarFor` is not empty. Memory in MB, only used for sidecars. */
export interface ProcessEntry {
  readonly type: string;
  readonly command: string;
  readonly sidecarFor: readonly string[];
  readonly memoryMb?: number;
}

/** What a merged list means for result.json. */
export interface ProcessOutcome {
  readonly processTypes: Readonly<Record<string, string>>;
  readonly processes: readonly { readonly type: string; readonly command: string }[];
  readonly sidecars: readonly ResultSidecar[];
}

/** Entries of a plain map of commands. */
export function entriesOf(commands: ReadonlyMap<string, string>): readonly ProcessEntry[] {
  return [...commands].map(([type, command]) => ({ type, command, sidecarFor: [] }));
}

/** `later` over `earlier` by type, replaced in place, otherwise appended. A process may replace a sidecar. */
export function mergeProcesses<Entry extends ProcessEntry>(
  earlier: readonly Entry[],
  later: readonly Entry[],
): readonly Entry[] {
  // Entries of one list never replace each other, as in the original.
  const merged = [...earlier];
  const placesOf = Map.groupBy(earlier.keys(), (place) => earlier[place]?.type ?? '');
  for (const entry of later) {
    const places = placesOf.get(entry.type) ?? [];
    for (const place of places) merged[place] = entry;
    if (places.length === 0) merged.push(entry);
  }
  return merged;
}

/** Splits a merged list into what result.json says. */
export function processOutcome(entries: readonly ProcessEntry[]): ProcessOutcome {
  const processes = entries.filter((it) => it.sidecarFor.length === 0);
  const sidecars = entries.filter((it) => it.sidecarFor.length > 0);
  const sorted = [...new Map(processes.map((it) => [it.type, it.command]))].sort(([a], [b]) =>
    a < b ? -1 : a > b ? 1 : 0,
  );
  return {
    processTypes: Object.fromEntries(sorted),
    processes: processes.map(({ type, command }) => ({ type, command })),
    sidecars: sidecars.map((it) => ({
      name: it.type,
      process_types: it.sidecarFor,
      command: it.command,
      ...(it.memoryMb !== undefined && { memory: it.memoryMb }),
    })),
  };
}
