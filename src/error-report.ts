/** A StagerError as data, for events, `--json` and the library. */
import { CODES, type StagerError } from './errors.ts';
import type { ErrorReport } from './events.ts';

/** The failure's facts. Exit status 143 instead of 130 when SIGTERM cancelled. */
export function errorReport(error: StagerError): ErrorReport {
  const terminated = error.code === 'CANCELLED' && error.details['signal'] === 'SIGTERM';
  return {
    code: error.code,
    blame: error.blame,
    message: error.message,
    ...(error.next !== undefined && { next: error.next }),
    ...(error.phase !== undefined && { phase: error.phase }),
    details: error.details,
    exit: terminated ? 143 : CODES[error.code].exit,
  };
}
