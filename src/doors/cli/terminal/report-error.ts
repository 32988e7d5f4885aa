/** Prints a failure for a person or a program. Only bugs have a stack trace. */
import { createColors } from 'picocolors';
import { reasonsOf } from '../../../machine/sandbox/unavailable.ts';
import { asStagerError, errorReport } from '../../../words/error-report.ts';
import type { StagerError } from '../../../words/errors.ts';
import { formatDuration } from '../../../words/units.ts';
import { harmless, oneLine } from './harmless.ts';
import type { Output } from './output.ts';
import { table } from './table.ts';

/** Writes the failure and returns the exit status of the command. */
export function reportError(thrown: unknown, output: Output): number {
  const error = asStagerError(thrown);
  const report = errorReport(error);
  if (output.json) output.object({ type: 'error', error: report });
  else write(error, output);
  return report.exit;
}

function write(error: StagerError, output: Output): void {
  const { bold, red } = createColors(output.colour);
  const tried = output.verbose ? reasonsOf(error).map((line) => `  ${line}`) : [];
  const [first = '', ...rest] = [...linesOf(error), ...tried].map(harmless);
  output.note(first.replace(/^error\b/, red(bold('error'))));
  for (const line of rest) output.note(line);
}

function linesOf(error: StagerError): readonly string[] {
  // Others have the name of a stack there.
  const { stack } = error.details;
  if (error.code === 'UNEXPECTED' && typeof stack === 'string') {
    return ['This is a bug in stager. Please report it with these lines:', ...stack.split('\n')];
  }
  const where = error.phase === undefined ? '' : ` in ${error.phase}`;
  return [
    `error ${error.code} (${error.blame})${where}: ${error.message}`,
    ...detectTable(error),
    ...stringsOf(error.details['hints']).map((hint) => `  hint: ${hint}`),
    ...(error.next === undefined ? [] : [`  ${error.next}`]),
  ];
}

function stringsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** The table that NO_APP_DETECTED carries: which buildpack said what. */
function detectTable(error: StagerError): readonly string[] {
  const rows = error.details['tries'];
  if (!Array.isArray(rows) || rows.length === 0) return [];
  const cells = rows
    .filter(isRow)
    .map((row) => [
      row.buildpack,
      row.version ?? '',
      row.outcome,
      row.firstLine ?? '',
      formatDuration(row.durationMs),
    ])
    .map((row) => row.map(oneLine));
  return table([['buildpack', 'version', 'detect', 'first line', 'time'], ...cells], '  ');
}

interface DetectRow {
  readonly buildpack: string;
  readonly version?: string;
  readonly outcome: string;
  readonly firstLine?: string;
  readonly durationMs: number;
}

function isRow(value: unknown): value is DetectRow {
  return typeof value === 'object' && value !== null && 'buildpack' in value && 'outcome' in value;
}
