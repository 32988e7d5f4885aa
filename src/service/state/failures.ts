/** Errors of the database as errors for a caller: decided by the name of a constraint, never by a message. */

import { isStagerError } from '../../words/errors.ts';

/** SQLSTATE of PostgreSQL. */
const UNIQUE_VIOLATION = '23505';
const FOREIGN_KEY_VIOLATION = '23503';

/** True when `error` says that a unique index (of this name) has the value already. */
export function isTaken(error: unknown, index: string): boolean {
  return codeOf(error) === UNIQUE_VIOLATION && constraintOf(error) === index;
}

/** What `work` gives; undefined when the unique index of this name has the value already. */
export async function unlessTaken<T>(index: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isTaken(error, index)) return undefined;
    throw error;
  }
}

/** True when `error` says that a row is referred to, or refers to one that is gone. */
export function isReferenced(error: unknown): boolean {
  return codeOf(error) === FOREIGN_KEY_VIOLATION;
}

/** Of the system, when a connection can't be made or breaks. */
const BROKEN_CONNECTION = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
/** SQLSTATE: connection exceptions, a server that ends, starts or has no connection left. */
const SERVER_AWAY = /^(?:08...|57P0[1-5]|53300)$/;
/** The libraries have no code for these. */
const AWAY_TEXT =
  /^(?:Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Cannot use a pool after calling end|PGlite is clos)/;

/**
 * True when the database can't be reached just now, or this process is closing it: worth to try again. All else that a
 * query fails with is a mistake of ours.
 */
export function isDatabaseAway(error: unknown): boolean {
  // What has a code of ours was about something else: a registry, a blobstore, a buildpack's address.
  if (!(error instanceof Error) || isStagerError(error)) return false;
  const code = codeOf(error);
  if (typeof code === 'string') {
    const connects = 'syscall' in error && /^(?:connect|read|write|getaddrinfo)/.test(String(error.syscall));
    if (SERVER_AWAY.test(code) || (BROKEN_CONNECTION.has(code) && (connects || code !== 'ENOENT')))
      return true;
  }
  return AWAY_TEXT.test(error.message) || isDatabaseAway(error.cause);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function constraintOf(error: unknown): unknown {
  return error instanceof Error && 'constraint' in error ? error.constraint : undefined;
}
