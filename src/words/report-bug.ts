/** Reports unexpected failures that no caller waits for to the operator's log, with their stack. */
export type ReportBug = (during: string, error: unknown) => void;

/** As lines of a log: what it happened in, and the stacks of the error and of its causes. */
export function bugText(during: string, error: unknown): string {
  return `BUG in ${during}: ${stackOf(error)}`;
}

function stackOf(error: unknown, depth = 0): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? `${error.name}: ${error.message}`;
  if (error.cause === undefined || depth === 5) return own;
  return `${own}\ncaused by ${stackOf(error.cause, depth + 1)}`;
}
