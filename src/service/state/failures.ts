/** What the database refuses, in the words of a caller: decided by the name of a constraint, never by a message. */

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

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function constraintOf(error: unknown): unknown {
  return error instanceof Error && 'constraint' in error ? error.constraint : undefined;
}
