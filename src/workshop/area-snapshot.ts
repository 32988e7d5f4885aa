/** What changed in the directories that scripts write to. Only names and stats are read. */
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Pace } from '../machine/host/pace.ts';
import type { Workspace } from '../staging/workspace/layout.ts';

/** The directories, by the names that people see. */
export const AREAS = ['app', 'deps', 'cache', 'profile.d'] as const;
export type Area = (typeof AREAS)[number];

/** Host directory of an area. */
export function areaPath(workspace: Workspace, area: Area): string {
  return area === 'profile.d' ? workspace.profileD : workspace[area];
}

/** `area/path` of every file and link → what tells one state of it from another. */
export type AreaSnapshot = ReadonlyMap<string, string>;

/** Names are `area/path`, sorted. Directories don't count. */
export interface Changes {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** Looks at all areas. What vanishes or can't be read meanwhile is not there. */
export async function takeSnapshot(workspace: Workspace, signal: AbortSignal): Promise<AreaSnapshot> {
  const found = new Map<string, string>();
  const pace = new Pace(signal);
  for (const area of AREAS) {
    const ahead: { readonly host: string; readonly name: string }[] = [
      { host: areaPath(workspace, area), name: area },
    ];
    for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
      for (const entry of list(next.host)) {
        if (pace.spent) await pace.rest();
        const host = join(next.host, entry.name);
        const name = `${next.name}/${entry.name}`;
        if (entry.isDirectory()) ahead.push({ host, name });
        else found.set(name, stateOf(host));
      }
    }
  }
  return found;
}

function list(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

function stateOf(path: string): string {
  try {
    const facts = lstatSync(path, { bigint: true });
    if (facts.isSymbolicLink()) return `-> ${readlinkSync(path)}`;
    // The time alone misses what is written twice within one tick of the clock; the size alone an edit in place.
    return `${facts.mode} ${facts.size} ${facts.mtimeNs} ${facts.ino}`;
  } catch {
    return 'gone';
  }
}

/** What it takes to get from `before` to `after`. */
export function changesBetween(before: AreaSnapshot, after: AreaSnapshot): Changes {
  const added: string[] = [];
  const changed: string[] = [];
  for (const [path, state] of after) {
    const was = before.get(path);
    if (was === undefined) added.push(path);
    else if (was !== state) changed.push(path);
  }
  const removed = [...before.keys()].filter((path) => !after.has(path));
  return { added: added.sort(), changed: changed.sort(), removed: removed.sort() };
}
