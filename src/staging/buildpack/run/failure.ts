/** How a script's failure becomes a failure of the staging. */

import type { ExitOutcome } from '../../../machine/sandbox/port/exit-report.ts';
import { type Code, cancelled, StagerError } from '../../../words/errors.ts';
import type { PhaseRef } from '../../../words/events.ts';
import { phaseName } from '../../../words/phases.ts';
import { formatRest } from '../../../words/units.ts';

/** What is known of the script. */
export interface FailedScript {
  readonly phase: PhaseRef;
  /** The script with its arguments left out: `bin/supply`. */
  readonly script: string;
  /** Code of a script that said no: SUPPLY_FAILED, COMPILE_FAILED or RELEASE_FAILED. */
  readonly code: Code;
  /** Milliseconds that all scripts of the staging may take together. */
  readonly timeoutMs: number;
}

/**
 * The failure for an outcome, or undefined when the script exited with 0.
 *
 * Limits keep their own codes, so that a supply that was killed for memory is not taken for one that failed.
 */
export function scriptFailure(
  outcome: ExitOutcome,
  failed: FailedScript,
  signal: AbortSignal,
): StagerError | undefined {
  const { script, code } = failed;
  const phase = phaseName(failed.phase);
  const facts = { script, phase, ...(failed.phase.buildpack && { buildpack: failed.phase.buildpack }) };
  const who = `${script} of ${failed.phase.buildpack ?? 'the buildpack'}`;
  switch (outcome.kind) {
    case 'exited':
      if (outcome.code === 0) return undefined;
      return new StagerError(code, `${who} failed with exit status ${outcome.code}`, {
        phase,
        next: 'Its output says why; fix the app or the buildpack and stage again.',
        details: { ...facts, exitStatus: outcome.code },
      });
    case 'signalled':
      return new StagerError(code, `${who} was killed by ${outcome.signal}`, {
        phase,
        next: 'It crashed or was killed by another process; its output says what it did before.',
        details: { ...facts, signal: outcome.signal },
      });
    case 'not-started':
      return new StagerError(code, `${who} could not be started: ${outcome.reason}`, {
        phase,
        next: 'The script must exist and be executable, and its interpreter must be in the stack.',
        details: { ...facts, reason: outcome.reason },
      });
    case 'timed-out':
      return timeout(failed);
    case 'out-of-memory':
      return new StagerError(
        'OUT_OF_MEMORY',
        `${who} needed more than ${mib(outcome.limitBytes)} of memory`,
        {
          phase,
          next: 'Raise --memory, or make the build use less.',
          details: { ...facts, limitBytes: outcome.limitBytes },
        },
      );
    case 'out-of-disk':
      return outOfDisk(outcome, who, { phase, facts });
    case 'too-many-files':
      return tooManyFiles(outcome, who, { phase, facts });
    case 'host-disk-full':
      return new StagerError(
        'HOST_DISK_FULL',
        `${who} was stopped: the machine has ${formatRest(outcome.reserveBytes)} of its disk left, or few inodes`,
        { phase, next: 'Free space on the machine, or lower --disk.', details: facts },
      );
    case 'file-too-large':
      return new StagerError(
        'CONFIG_INVALID',
        `${who} wrote a file over the file size limit (ulimit -f), ${mib(outcome.limitBytes)}`,
        { phase, next: 'Raise the limit (ulimit -f unlimited) where you start stager.', details: facts },
      );
    case 'cancelled':
      return cancelled(signal);
  }
}

/** STAGING_TIMEOUT in the phase that was running when the time was up. */
export function timeout(failed: Pick<FailedScript, 'phase' | 'script' | 'timeoutMs'>): StagerError {
  const seconds = Math.round(failed.timeoutMs / 1000);
  const phase = phaseName(failed.phase);
  return new StagerError(
    'STAGING_TIMEOUT',
    `time is up: the buildpacks' scripts took longer than ${seconds} s, ${failed.script} of ${failed.phase.buildpack ?? 'the buildpack'} was running`,
    {
      phase,
      next: 'Raise --timeout, or check in the output above what it was waiting for.',
      details: { script: failed.script, limitMs: failed.timeoutMs },
    },
  );
}

function outOfDisk(
  outcome: Extract<ExitOutcome, { kind: 'out-of-disk' }>,
  who: string,
  at: { readonly phase: string; readonly facts: Readonly<Record<string, unknown>> },
): StagerError {
  const largest = outcome.largest.map((it) => `${it.path} ${mib(it.sizeBytes)}`).join(', ');
  return new StagerError(
    'OUT_OF_DISK',
    `${who} filled the workspace: ${mib(outcome.usedBytes)} of ${mib(outcome.limitBytes)}; largest: ${largest}`,
    {
      phase: at.phase,
      next: 'Raise --disk, or leave out what is not needed with .cfignore.',
      details: {
        ...at.facts,
        limitBytes: outcome.limitBytes,
        usedBytes: outcome.usedBytes,
        largest: outcome.largest,
      },
    },
  );
}

function tooManyFiles(
  outcome: Extract<ExitOutcome, { kind: 'too-many-files' }>,
  who: string,
  at: { readonly phase: string; readonly facts: Readonly<Record<string, unknown>> },
): StagerError {
  const { files, limitFiles, fullest } = outcome;
  const where = fullest.map((it) => `${it.path} ${it.files}`).join(', ');
  return new StagerError(
    'OUT_OF_DISK',
    `${who} filled the workspace with ${files} files, the limit is ${limitFiles}; most are in: ${where}`,
    {
      phase: at.phase,
      next: 'Leave out what is not needed with .cfignore, or make the build remove what it does not need.',
      details: { ...at.facts, limitFiles, files, fullest },
    },
  );
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** One phrase on how a script ended, for tables. */
export function outcomePhrase(outcome: ExitOutcome): string {
  switch (outcome.kind) {
    case 'exited':
      return `exit ${outcome.code}`;
    case 'signalled':
      return `killed by ${outcome.signal}`;
    case 'not-started':
      return `not started: ${outcome.reason}`;
    case 'timed-out':
      return 'timed out';
    case 'out-of-memory':
      return 'out of memory';
    case 'out-of-disk':
      return 'out of disk';
    case 'too-many-files':
      return 'too many files';
    case 'host-disk-full':
      return 'the disk of the machine is full';
    case 'file-too-large':
      return 'over the file size limit';
    case 'cancelled':
      return 'cancelled';
  }
}

const ENDS: readonly ExitOutcome['kind'][] = [
  'timed-out',
  'out-of-disk',
  'too-many-files',
  'host-disk-full',
  'file-too-large',
  'cancelled',
];

/** Outcomes of a detect that end the staging, since no other buildpack could do better. */
export function isShowstopper(outcome: ExitOutcome): boolean {
  return ENDS.includes(outcome.kind);
}
