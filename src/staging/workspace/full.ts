/** Reports a full workspace: one with a separate file system ends at its limit. */
import { StagerError } from '../../words/errors.ts';

/** The failure of a write of ours that found no room, for a workspace that is full. */
export function outOfWorkspace(error: StagerError, diskMb: number): StagerError {
  return new StagerError('OUT_OF_DISK', `${error.message}: the workspace holds ${diskMb} MiB, and is full`, {
    next: 'Raise --disk, or leave out what is not needed with .cfignore.',
    ...(error.phase !== undefined && { phase: error.phase }),
    details: { ...error.details, limitBytes: diskMb * 1024 * 1024 },
    cause: error,
  });
}
