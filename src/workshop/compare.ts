/** Compares the actual results with the expected ones. */
import { minimatch } from 'minimatch';
import {
  describeMatcher,
  type Expectations,
  fits,
  type RoundExpectations,
  type ValueMatcher,
} from './expectations.ts';
import { exitsOf, type SeenRound } from './seen.ts';

/** One expectation that was not met. `where` is its key in the file. */
export interface Difference {
  readonly where: string;
  readonly expected: string;
  readonly seen: string;
}

/** Everything in which the first round is not as expected; without expectations it has to end well. */
export async function compareFirst(wanted: Expectations, seen: SeenRound): Promise<readonly Difference[]> {
  return [
    ...compareDetect(wanted.detect, seen),
    ...compareError(wanted, seen),
    ...(await compareRound(wanted, seen)),
    ...compareMap('launch_env', wanted.launch_env, seen.launchEnv, 'only'),
    ...compareMap('processes', wanted.processes, seen.processes, 'all'),
    ...compareMap('sidecars', wanted.sidecars, seen.sidecars, 'all'),
  ];
}

/** The same for the round with the cache of the first. */
export async function compareAgain(
  wanted: RoundExpectations,
  seen: SeenRound,
): Promise<readonly Difference[]> {
  const differences = [...compareError({}, seen), ...(await compareRound(wanted, seen))];
  return differences.map((it) => ({ ...it, where: `again.${it.where}` }));
}

function compareDetect(wanted: Expectations['detect'], { detect }: SeenRound): readonly Difference[] {
  if (wanted === undefined) return [];
  const said = detect === undefined ? undefined : detect.exitStatus === 0;
  const seen =
    detect === undefined
      ? 'it was not asked'
      : said
        ? `yes, ${JSON.stringify(detect.firstLine)}`
        : `no (${detect.outcome})`;
  const met = typeof wanted === 'boolean' ? said === wanted : said === true && detect?.firstLine === wanted;
  if (met) return [];
  const expected = typeof wanted === 'string' ? JSON.stringify(wanted) : wanted ? 'yes' : 'no';
  return [{ where: 'detect', expected, seen }];
}

function compareError(wanted: Expectations, { error, phases }: SeenRound): readonly Difference[] {
  const code = wanted.error ?? (wanted.detect === false ? 'NO_APP_DETECTED' : undefined);
  if (code !== undefined && error?.code === code) return [];
  const failed = phases.find(({ exitStatus }) => exitStatus !== undefined && exitStatus !== 0);
  const isExpected = failed !== undefined && wanted.exit?.[failed.phase] === failed.exitStatus;
  if (code === undefined && (error === undefined || isExpected)) return [];
  const seen = error === undefined ? 'it succeeded' : `${error.code}: ${error.message}`;
  return [{ where: 'error', expected: code ?? 'none', seen }];
}

async function compareRound(wanted: RoundExpectations, seen: SeenRound): Promise<readonly Difference[]> {
  const exits = exitsOf(seen);
  const lines = seen.phases.flatMap(({ log }) => log);
  const differences: Difference[] = [];
  for (const [phase, status] of Object.entries(wanted.exit ?? {})) {
    const actual = Object.entries(exits).find(([name]) => name === phase)?.[1];
    if (actual !== status) {
      const found = seen.phases.find((it) => it.phase === phase)?.outcome ?? 'it did not run';
      differences.push({ where: `exit.${phase}`, expected: String(status), seen: String(actual ?? found) });
    }
  }
  for (const line of wanted.log ?? []) {
    if (lines.some((it) => fits(line, it, 'part'))) continue;
    differences.push({ where: 'log', expected: `a line with ${describeMatcher(line)}`, seen: 'none' });
  }
  for (const line of wanted.not_log ?? []) {
    const found = lines.find((it) => fits(line, it, 'part'));
    if (found === undefined) continue;
    differences.push({ where: 'not_log', expected: `no line with ${describeMatcher(line)}`, seen: found });
  }
  return [...differences, ...(await compareFiles(wanted.files ?? {}, seen))];
}

async function compareFiles(
  { present = [], absent = [], content = {} }: NonNullable<RoundExpectations['files']>,
  seen: SeenRound,
): Promise<readonly Difference[]> {
  const differences: Difference[] = [];
  for (const pattern of present) {
    if (filesLike(pattern, seen).length > 0) continue;
    differences.push({ where: 'files.present', expected: pattern, seen: 'absent' });
  }
  for (const pattern of absent) {
    const [found] = filesLike(pattern, seen);
    if (found !== undefined)
      differences.push({ where: 'files.absent', expected: `no ${pattern}`, seen: found });
  }
  for (const [path, wanted] of Object.entries(content)) {
    const text = await seen.read(path);
    if (text !== undefined && fits(wanted, text)) continue;
    const found = text === undefined ? 'absent' : text;
    const expected = typeof wanted === 'string' ? wanted : describeMatcher(wanted);
    differences.push({ where: `files.content.${path}`, expected, seen: found });
  }
  return differences;
}

/** Files that a pattern names; one that names a directory stands for what is in it. */
export function filesLike(pattern: string, { files }: Pick<SeenRound, 'files'>): readonly string[] {
  if (files.has(pattern)) return [pattern];
  const bare = pattern.replace(/\/+$/, '');
  const options = { dot: true, nonegate: true, nocomment: true } as const;
  return [...files].filter((path) => path.startsWith(`${bare}/`) || minimatch(path, bare, options));
}

/** `only`: others than the named ones may be there; `all`: they may not. */
function compareMap(
  where: string,
  wanted: Readonly<Record<string, ValueMatcher>> | undefined,
  seen: Readonly<Record<string, string>>,
  rest: 'only' | 'all',
): readonly Difference[] {
  if (wanted === undefined) return [];
  const differences = Object.entries(wanted).flatMap(([name, matcher]): Difference[] => {
    const actual = seen[name];
    if (actual !== undefined && fits(matcher, actual)) return [];
    return [{ where: `${where}.${name}`, expected: describeMatcher(matcher), seen: actual ?? 'absent' }];
  });
  const unasked = rest === 'only' ? [] : Object.entries(seen).filter(([name]) => !(name in wanted));
  return [
    ...differences,
    ...unasked.map(([name, value]) => ({ where: `${where}.${name}`, expected: 'absent', seen: value })),
  ];
}
