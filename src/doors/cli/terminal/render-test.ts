/** What `stager buildpack test` shows of a fixture. */
import { createColors } from 'picocolors';
import { printable } from '../../../staging/source/refusals.ts';
import { formatCount, formatDuration } from '../../../words/units.ts';
import { AREAS } from '../../../workshop/area-snapshot.ts';
import type { Difference } from '../../../workshop/compare.ts';
import type { SeenPhase, SeenRound } from '../../../workshop/seen.ts';
import type { FixtureResult } from '../../../workshop/test-buildpack.ts';
import type { Output } from './output.ts';
import { labelled, table } from './table.ts';

/** Names of one kind in one area that are shown; --verbose and --json show all. */
const SHOWN = 10;
const MARKS = { added: '+', changed: '~', removed: '-' } as const;

/** The lines for a person. */
export function fixtureLines(result: FixtureResult, output: Pick<Output, 'colour' | 'verbose'>): string[] {
  const { bold, green, red, yellow } = createColors(output.colour);
  const limit = output.verbose ? Number.POSITIVE_INFINITY : SHOWN;
  const showsLog = output.verbose || result.outcome === 'failed';
  const verdicts = {
    passed: green('passed'),
    failed: red(`failed: ${result.differences.length} not as expected`),
    seen: yellow('succeeded; there are no expectations yet, write them with --update'),
    updated: green(`wrote ${result.expectations}`),
  };
  return [
    bold(result.fixture),
    ...roundLines(result.first, { limit, showsLog }),
    ...leftLines(result.first, limit),
    ...(result.again === undefined
      ? []
      : ['  again, with the cache of the first run', ...roundLines(result.again, { limit, showsLog })]),
    ...result.differences.flatMap((it) => differenceLines(it, { red, green })),
    `  ${verdicts[result.outcome]}`,
    '',
  ];
}

interface HowMuch {
  readonly limit: number;
  readonly showsLog: boolean;
}

function roundLines(round: SeenRound, how: HowMuch): string[] {
  return round.phases.flatMap((phase) => [
    `  ${phase.phase.padEnd(8)}  ${headline(phase, round)}  ${formatDuration(phase.durationMs)}`,
    ...(how.showsLog ? phase.log.map((line) => `    | ${line}`) : []),
    ...changeLines(phase, how.limit),
  ]);
}

function headline(phase: SeenPhase, { detect }: SeenRound): string {
  if (phase.phase !== 'detect' || detect === undefined) return phase.outcome;
  const verdict = detect.exitStatus === 0 ? 'yes' : 'no';
  return `${verdict} (${detect.outcome})${detect.firstLine === '' ? '' : `: ${printable(detect.firstLine)}`}`;
}

function changeLines({ changes }: SeenPhase, limit: number): string[] {
  return AREAS.flatMap((area) =>
    (['added', 'changed', 'removed'] as const).flatMap((kind) => {
      const names = changes[kind].filter((name) => name.startsWith(`${area}/`));
      const shown = names.slice(0, limit).map((name) => `    ${MARKS[kind]} ${printable(name)}`);
      const more = names.length - shown.length;
      return more > 0 ? [...shown, `    ${MARKS[kind]} … and ${more} more in ${area}`] : shown;
    }),
  );
}

function leftLines(round: SeenRound, limit: number): string[] {
  const pairs = (values: Readonly<Record<string, string>>, between: string): string[] =>
    Object.entries(values)
      .slice(0, limit)
      .map(([name, value]) => printable(`${name}${between}${value.replaceAll('\n', '\\n')}`));
  const cached = [...round.files].filter((path) => path.startsWith('cache/')).length;
  const profile = [...round.files].filter((path) => path.startsWith('profile.d/')).sort();
  const rows = [
    ...labelled('env files', pairs(round.envFiles, ' = ')),
    ...labelled(
      'profile.d',
      profile.map((path) => printable(path.slice('profile.d/'.length))),
    ),
    ...labelled('launch env', pairs(round.launchEnv, '=')),
    ...labelled('processes', pairs(round.processes, ': ')),
    ...labelled('sidecars', pairs(round.sidecars, ': ')),
    ...labelled('cache', cached === 0 ? [] : [formatCount(cached, 'file')]),
    ...labelled('error', round.error === undefined ? [] : [`${round.error.code}: ${round.error.message}`]),
  ];
  return table(rows, '  ');
}

type Colour = (text: string) => string;

function differenceLines(
  { where, expected, seen }: Difference,
  { red, green }: { readonly red: Colour; readonly green: Colour },
): string[] {
  if (!expected.includes('\n') && !seen.includes('\n')) {
    return [`  ${red('✗')} ${where}: expected ${green(expected)}, saw ${red(seen)}`];
  }
  const [old, now] = [expected.split('\n'), seen.split('\n')];
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < Math.min(old.length, now.length) - start && old.at(-1 - end) === now.at(-1 - end)) end += 1;
  return [
    `  ${red('✗')} ${where}, from line ${start + 1}:`,
    ...old.slice(start, old.length - end).map((line) => `    ${green(`expected ${line}`)}`),
    ...now.slice(start, now.length - end).map((line) => `    ${red(`saw      ${line}`)}`),
  ];
}

/** The same as data; documented in docs/workshop.md. */
export function fixtureObject({ first, again, ...result }: FixtureResult): unknown {
  return {
    type: 'fixture',
    ...result,
    first: roundObject(first),
    ...(again !== undefined && { again: roundObject(again) }),
  };
}

function roundObject({ files, read: _, ...round }: SeenRound): unknown {
  return { ...round, files: [...files].sort() };
}
