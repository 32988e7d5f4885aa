/** `stager doctor`: what will be used on this machine, and why the alternatives can't be. */
import { createColors } from 'picocolors';
import type { Stager } from '../../../compose.ts';
import { type Diagnosis, SERVICE_PARTS } from '../../../machine/doctor/doctor.ts';
import type { Finding } from '../../../machine/doctor/finding.ts';
import type { Bound } from '../../../machine/sandbox/port/volume.ts';
import { formatBytes } from '../../../words/units.ts';
import type { Context } from '../input/context.ts';
import { labelled, table } from '../terminal/table.ts';

/** 0 when a staging would work here, 1 when something it needs is missing. */
export async function doctorCommand(context: Context): Promise<number> {
  const { flags, signal, output } = context;
  const stager = await stagerOf(context);
  if (flags['repair'] === true) for (const done of await stager.repair()) output.note(done);
  const diagnosis = await stager.diagnose(signal);
  if (output.json) output.object(diagnosis);
  else for (const line of lines(diagnosis, output.colour)) output.line(line);
  const { sandbox, stacks, home, blobstore, service } = diagnosis;
  return [sandbox, stacks, home, blobstore, ...Object.values(service)].every(
    ({ status }) => status !== 'failed',
  )
    ? 0
    : 1;
}

/** A server keeps its blobs in its own directory, unless told otherwise. */
async function stagerOf({ config, stager }: Context): Promise<Stager> {
  const { data, database } = config.settings;
  if (data === undefined || database !== undefined) return await stager();
  return (await import('../../../compose.ts')).openEndpointStager(config, data);
}

const BOUNDS = {
  image: 'a file system image of that size for each workspace',
  tmpfs: 'a file system in memory of that size for each workspace',
  watch: 'watched; a script that exceeds it is stopped',
} as const satisfies Record<Bound, string>;

function lines(found: Diagnosis, colour: boolean): string[] {
  const { bold } = createColors(colour);
  const { machine, runtimes, cgroups, users } = found;
  const rows = [
    ['machine', `Linux ${machine.kernel} ${machine.arch}, Node ${machine.node}, as ${machine.user}`],
    ...labelled('runtimes', [
      ...runtimes.found.flatMap(({ name, version, path, advice }) => [
        `${name} ${version} (${path})`,
        ...(advice === undefined ? [] : [`  ${advice}`]),
      ]),
      ...runtimes.missing.map(({ candidate, why }) => `not ${candidate}: ${why}`),
    ]),
    ['cgroups', cgroups.mode],
    ...labelled('', [
      ...cgroups.controllers.flatMap(({ name, parent, why, advice }) => [
        `${name}: ${parent ?? `not usable, ${why ?? 'no reason'}`}`,
        ...(advice === undefined ? [] : [`  ${advice}`]),
      ]),
      ...movesLines(cgroups.dynamicMoves),
    ]),
    ...labelled(
      'users',
      users.ways.map(({ description }) => description),
    ),
    ...rowsOf('sandbox', found.sandbox, {
      colour,
      show: ({ description, rejected, bound, layers, egress }) => [
        description,
        `disk limit: ${BOUNDS[bound.kind]}${bound.why === undefined ? '' : ` (${bound.why})`}`,
        layers.had
          ? 'workspace: overlay, above the files of the last staging; a copy for an app of few files'
          : `workspace: copy (${layers.why ?? 'no reason'})`,
        egress.had
          ? `egress: ${egress.description}`
          : `not egress: ${egress.description}${egress.next === undefined ? '' : `; ${egress.next}`}`,
        ...rejected.map(({ candidate, why }) => `not ${candidate}: ${why}`),
      ],
    }),
    ...rowsOf('stack', found.stacks, {
      colour,
      show: ({ chosen, known }) => [`${chosen} (known: ${known.map(({ name }) => name).join(', ')})`],
    }),
    ...rowsOf('data home', found.home, {
      colour,
      show: ({ path, freeBytes }) => [`${path}, ${formatBytes(freeBytes)} free`],
    }),
    ...rowsOf('blobstore', found.blobstore, { colour, show: (facts) => facts }),
    ...SERVICE_PARTS.flatMap((part) => {
      const one = found.service[part];
      return one === undefined ? [] : rowsOf(part, one, { colour, show: (facts) => facts });
    }),
  ];
  return [bold('What stager will use here'), ...table(rows, '  ')];
}

function movesLines(moves: Diagnosis['cgroups']['dynamicMoves']): string[] {
  if (moves.kind === 'on') return ['favordynmods: on, a fork bomb in one sandbox does not hold up others'];
  const off = 'favordynmods: off, a fork bomb in one sandbox can hold up the start of others';
  return moves.kind === 'unknown'
    ? [`${off} (${moves.why})`]
    : [off, `  stager turns it on when root stages; by hand: ${moves.command.join(' ')}`];
}

function rowsOf<T>(
  label: string,
  finding: Finding<T>,
  how: { readonly colour: boolean; readonly show: (value: T) => readonly string[] },
): string[][] {
  const { colour, show } = how;
  const { green, red, yellow } = createColors(colour);
  if (finding.status === 'failed') {
    return labelled(label, [
      `${red('failed')}: ${finding.why}`,
      ...(finding.next === undefined ? [] : [finding.next]),
      ...(finding.tried ?? []).map((line) => `not ${line}`),
    ]);
  }
  const mark = finding.status === 'ok' ? green('ok') : yellow('warning');
  const [first = '', ...rest] = show(finding.value);
  return labelled(label, [`${mark}: ${first}`, ...rest, ...finding.notes]);
}
