/** A StagerError as data, for events, `--json` and the library. */
import { CODES, errnoOf, StagerError } from './errors.ts';
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

/**
 * Whatever was thrown, as a StagerError: what the system refuses everywhere in the same way (no space, no permission)
 * is the operator's to fix, all else is UNEXPECTED, a bug of ours.
 */
export function asStagerError(thrown: unknown): StagerError {
  if (thrown instanceof StagerError) return thrown;
  // Tidying up failed as well; what failed first says why.
  if (thrown instanceof SuppressedError) return asStagerError(thrown.suppressed);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  switch (errnoOf(thrown)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new StagerError('HOST_DISK_FULL', `no space left: ${message}`, {
        next: 'Free space, or choose another place for the data home with --home.',
        cause: thrown,
      });
    case 'EFBIG':
      return new StagerError('CONFIG_INVALID', `a file exceeded the file size limit: ${message}`, {
        next: 'Raise the limit (ulimit -f unlimited), or use a file system that allows larger files.',
        cause: thrown,
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StagerError('CONFIG_INVALID', `the system denied access: ${message}`, {
        next: 'Make the path accessible to the user that runs stager, or choose another data home with --home.',
        cause: thrown,
      });
    default:
      return new StagerError('UNEXPECTED', message, {
        next: 'This is a bug in stager. Please report it.',
        details: { stack: thrown instanceof Error ? (thrown.stack ?? message) : message },
        cause: thrown,
      });
  }
}
