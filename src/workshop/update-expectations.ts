/** Writes what was seen as the new expectations; what still holds, and comments, stay as the author wrote them. */
import { parseDocument } from 'yaml';
import { filesLike } from './compare.ts';
import { type Expectations, fits, type RoundExpectations, type ValueMatcher } from './expectations.ts';
import { exitsOf, type SeenRound } from './seen.ts';

/** More files than these are nobody's list to read; the first ones are named. */
const MAX_FILES = 100;

const HEADER =
  ' What the buildpack is given and has to leave; every key is explained in docs/workshop.md of stager.\n';

/** The rounds of one fixture. */
export interface SeenRounds {
  readonly first: SeenRound;
  readonly again?: SeenRound;
}

/** The new text of the file. `old` is what it was, if it was. */
export async function updatedExpectations(
  old: { readonly text: string; readonly expectations: Expectations } | undefined,
  { first, again }: SeenRounds,
): Promise<string> {
  const before = old?.expectations ?? {};
  const document = parseDocument(old?.text ?? '');
  if (old === undefined) document.commentBefore = HEADER.trimEnd();
  const next: Record<string, unknown> = {
    detect: detectOf(before, first),
    error: first.error === undefined || first.detect?.exitStatus !== 0 ? undefined : first.error.code,
    ...(await roundOf(before, first)),
    launch_env: first.error === undefined ? mapOf(before.launch_env, first.launchEnv) : undefined,
    processes: first.error === undefined ? mapOf(before.processes, first.processes) : undefined,
    sidecars: Object.keys(first.sidecars).length > 0 ? mapOf(before.sidecars, first.sidecars) : undefined,
    again: again === undefined ? undefined : await againOf(before.again, again),
  };
  const written: ReadonlyMap<string, unknown> = new Map(Object.entries(before));
  for (const [key, value] of Object.entries(next)) {
    if (JSON.stringify(written.get(key)) === JSON.stringify(value)) continue;
    if (value === undefined) document.delete(key);
    else document.set(key, document.createNode(value));
  }
  return document.toString({ lineWidth: 110, flowCollectionPadding: true });
}

function detectOf(before: Expectations, { detect }: SeenRound): Expectations['detect'] {
  if (detect === undefined) return undefined;
  if (detect.exitStatus !== 0) return false;
  return before.detect === true ? true : detect.firstLine;
}

async function roundOf(before: RoundExpectations, seen: SeenRound): Promise<RoundExpectations> {
  const lines = seen.phases.flatMap(({ log }) => log);
  const { detect: _, ...exit } = exitsOf(seen);
  const log = before.log?.filter((line) => lines.some((it) => fits(line, it, 'part')));
  const notLog = before.not_log?.filter((line) => !lines.some((it) => fits(line, it, 'part')));
  return {
    exit: Object.keys(exit).length > 0 ? exit : undefined,
    files: seen.error === undefined ? await filesOf(before.files, seen) : before.files,
    log: log?.length === 0 ? undefined : log,
    not_log: notLog?.length === 0 ? undefined : notLog,
  };
}

/** The second round is about what the cache saves: its log, not the files again. */
async function againOf(before: RoundExpectations | undefined, seen: SeenRound): Promise<RoundExpectations> {
  const round = await roundOf(before ?? {}, seen);
  const { files: _, ...rest } = round;
  return before?.files === undefined ? rest : round;
}

async function filesOf(
  before: RoundExpectations['files'],
  seen: SeenRound,
): Promise<NonNullable<RoundExpectations['files']>> {
  const content: Record<string, ValueMatcher> = {};
  for (const [path, matcher] of Object.entries(before?.content ?? {})) {
    const text = await seen.read(path);
    if (text !== undefined) content[path] = fits(matcher, text) ? matcher : text;
  }
  const present = before?.present?.filter((pattern) => filesLike(pattern, seen).length > 0);
  const absent = before?.absent?.filter((pattern) => filesLike(pattern, seen).length === 0);
  return {
    present: present ?? leftFiles(seen),
    ...(absent !== undefined && { absent }),
    ...(before?.content !== undefined && { content }),
  };
}

/** Files that the scripts made and that are still there; names in the cache are the package managers' own. */
function leftFiles(seen: SeenRound): string[] {
  const made = new Set(seen.phases.flatMap(({ changes }) => [...changes.added, ...changes.changed]));
  return [...made]
    .filter((path) => seen.files.has(path) && !path.startsWith('cache/'))
    .sort()
    .slice(0, MAX_FILES);
}

function mapOf(
  before: Readonly<Record<string, ValueMatcher>> | undefined,
  seen: Readonly<Record<string, string>>,
): Readonly<Record<string, ValueMatcher>> {
  return Object.fromEntries(
    Object.entries(seen).map(([name, value]): [string, ValueMatcher] => {
      const matcher = before?.[name];
      return [name, matcher !== undefined && fits(matcher, value) ? matcher : value];
    }),
  );
}
