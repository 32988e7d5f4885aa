/** One check of `stager doctor`: it works, it does not, or it works with something missing. */
import { StagerError } from '../../words/errors.ts';
import { reasonsOf } from '../sandbox/unavailable.ts';

/** See the top of the file. A note says what is missing and what to do about it. */
export type Finding<T> =
  | { readonly status: 'ok' | 'warning'; readonly value: T; readonly notes: readonly string[] }
  | {
      readonly status: 'failed';
      readonly why: string;
      readonly next?: string;
      /** What was tried, one line each. */
      readonly tried?: readonly string[];
    };

/** What was found, a sentence each. */
export type Facts = readonly string[];

/** Worked, unless there is something to note. */
export function noted<T>(value: T, notes: readonly string[] = []): Finding<T> {
  return { status: notes.length === 0 ? 'ok' : 'warning', value, notes };
}

/** What is thrown becomes a finding. @throws StagerError CANCELLED */
export async function finding<T>(
  signal: AbortSignal,
  find: () => Finding<T> | Promise<Finding<T>>,
): Promise<Finding<T>> {
  try {
    return await find();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Error)) throw error;
    const next = error instanceof StagerError ? error.next : undefined;
    const tried = error instanceof StagerError ? reasonsOf(error) : [];
    return {
      status: 'failed',
      why: error.message,
      ...(next !== undefined && { next }),
      ...(tried.length > 0 && { tried }),
    };
  }
}
