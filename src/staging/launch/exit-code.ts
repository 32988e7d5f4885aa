/** Turns the end of a run into the exit code that a shell would report. */
import { constants } from 'node:os';
import type { ExitOutcome } from '../../machine/sandbox/port/exit-report.ts';

const BY_SIGNAL = 128;
const NUMBERS = new Map<string, number>(Object.entries(constants.signals));

/** The program's own code; 128 + n for a signal; 137 (SIGKILL) for everything that we had killed; 127 not started. */
export function exitCodeOf(outcome: ExitOutcome): number {
  switch (outcome.kind) {
    case 'exited':
      return outcome.code;
    case 'signalled':
      return BY_SIGNAL + (NUMBERS.get(outcome.signal) ?? constants.signals.SIGKILL);
    case 'timed-out':
    case 'out-of-memory':
    case 'out-of-disk':
    case 'too-many-files':
    case 'host-disk-full':
    case 'file-too-large':
    case 'cancelled':
      return BY_SIGNAL + constants.signals.SIGKILL;
    case 'not-started':
      return 127;
  }
}
