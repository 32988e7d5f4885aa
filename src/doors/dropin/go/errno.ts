/** System errors in the words that Go's standard library prints, since they are part of the drop-in's messages. */
import { getSystemErrorMessage } from 'node:util';
import { errnoOf } from '../../../words/errors.ts';

/** Where libuv's words (the fallback) differ from the C library's, which Go prints. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBUSY: 'device or resource busy',
  EEXIST: 'file exists',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  ENODEV: 'no such device',
  ENOEXEC: 'exec format error',
  ENOTEMPTY: 'directory not empty',
  E2BIG: 'argument list too long',
  ETXTBSY: 'text file busy',
};

/** `no such file or directory` for ENOENT, and so on; the error's own message when it is not a system error. */
export function errnoText(error: unknown): string {
  const code = errnoOf(error);
  const words = code === undefined ? undefined : WORDS[code];
  if (words !== undefined) return words;
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') {
    return getSystemErrorMessage(error.errno);
  }
  return error instanceof Error ? error.message : String(error);
}

/** `open /x: no such file or directory`: what went wrong, where, in Go's form. */
export function pathError(operation: string, path: string, error: unknown): Error {
  return new Error(`${operation} ${path}: ${errnoText(error)}`, { cause: error });
}

/** Runs `action`; a failure is reported as {@link pathError}. */
export function withPathError<T>(operation: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw pathError(operation, path, error);
  }
}
