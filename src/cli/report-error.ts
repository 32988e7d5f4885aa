/** A failure as a person or a program reads it. A stack trace is shown for bugs only. */
import { createColors } from 'picocolors';
import { errorReport } from '../error-report.ts';
import { StagerError } from '../errors.ts';
import type { Output } from './output.ts';
import { table } from './table.ts';

/** Exit status of a failure that is no StagerError: a bug of ours. */
const BUG_EXIT = 70;

/** Writes the failure and returns the exit status of the command. */
export function reportError(error: unknown, output: Output): number {
  if (!(error instanceof StagerError)) return reportBug(error, output);
  if (output.json) {
    output.object({ type: 'error', error: errorReport(error) });
    return errorReport(error).exit;
  }
  const colours = createColors(output.colour);
  const where = error.phase === undefined ? '' : ` in ${error.phase}`;
  output.note(
    `${colours.red(colours.bold('error'))} ${error.code} (${error.blame})${where}: ${error.message}`,
  );
  for (const line of detectTable(error)) output.note(line);
  for (const hint of stringsOf(error.details['hints'])) output.note(`  hint: ${hint}`);
  if (error.next !== undefined) output.note(`  ${error.next}`);
  return errorReport(error).exit;
}

function reportBug(error: unknown, output: Output): number {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (output.json) {
    output.object({
      type: 'error',
      error: { code: 'UNEXPECTED', blame: 'stager', message: stack, exit: BUG_EXIT },
    });
  } else {
    output.note(`This is a bug in stager. Please report it with these lines:\n${stack}`);
  }
  return BUG_EXIT;
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
      `${row.durationMs}ms`,
    ]);
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
