/** The summary that a person reads after a staging. */
import { createColors } from 'picocolors';
import { phaseName } from '../../../words/phases.ts';
import { resultSidecars } from '../../../words/result.ts';
import type { StagingRecord } from '../../../words/staging-record.ts';
import { formatBytes, formatDuration, MEBIBYTE } from '../../../words/units.ts';
import { oneLine } from './harmless.ts';
import type { Output } from './output.ts';
import { labelled, table } from './table.ts';

/** The lines of the summary. */
export function summary(record: StagingRecord, output: Pick<Output, 'colour'>): string[] {
  const { bold } = createColors(output.colour);
  const verb = record.reused ? 'Reused the droplet of' : 'Staged';
  return [
    bold(`${verb} ${oneLine(record.app.name)} in ${formatDuration(record.durationMs)}`),
    '',
    ...table(
      facts(record).map((row) => row.map(oneLine)),
      '  ',
    ),
    '',
    ...table([['phase', 'time'], ...record.phases.map(phaseRow)], '  '),
  ];
}

function facts(record: StagingRecord): string[][] {
  const { droplet, buildCache, limits, peaks } = record;
  return [
    ['droplet', `${formatBytes(droplet.sizeBytes)}  sha256:${droplet.sha256}`],
    ['', droplet.location],
    ...(buildCache === undefined ? [] : [['build cache', formatBytes(buildCache.sizeBytes)]]),
    ...labelled(
      'buildpacks',
      record.buildpacks.map((used) => `${used.name}${used.version === undefined ? '' : ` ${used.version}`}`),
    ),
    ['stack', record.stack],
    ...processes(record),
    ...sidecars(record),
    ['memory', `${peak(peaks.memoryBytes)} of ${formatBytes(limits.memoryMb * MEBIBYTE)} requested`],
    ['disk', `${peak(peaks.diskBytes)} of ${formatBytes(limits.diskMb * MEBIBYTE)} requested`],
  ];
}

function peak(bytes: number | undefined): string {
  return bytes === undefined ? 'peak not measured,' : `peak ${formatBytes(bytes)}`;
}

function processes(record: StagingRecord): string[][] {
  const types = Object.entries({ ...record.result.process_types, ...record.launch?.commands });
  if (types.length === 0) return [['processes', 'none: give a command when you run it']];
  return labelled('processes', table(types));
}

function sidecars(record: StagingRecord): string[][] {
  const rows = [...resultSidecars(record.result), ...(record.launch?.sidecars ?? [])].map((sidecar) => [
    sidecar.name,
    sidecar.command,
    `beside ${sidecar.process_types.join(', ')}${sidecar.memory === undefined ? '' : `, ${sidecar.memory}M`}`,
  ]);
  return labelled('sidecars', table(rows));
}

function phaseRow(timing: StagingRecord['phases'][number]): string[] {
  const time = timing.outcome === 'done' ? formatDuration(timing.durationMs) : timing.outcome;
  return [phaseName(timing.phase), time];
}
