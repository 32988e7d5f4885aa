/** What ends a buildpack's step. */

/**
 * A failure that somebody can act on. Shown as `**ERROR** message` and the next step; anything else that is
 * thrown is a bug of the buildpack and shows its stack.
 */
export class BuildpackFailure extends Error {
  override readonly name = 'BuildpackFailure';
  /** What to do, one sentence. */
  readonly next: string | undefined;

  constructor(message: string, parts: { readonly next?: string; readonly cause?: unknown } = {}) {
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.next = parts.next;
  }
}

/** The errno name (`ENOENT` …) of a system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The message of anything thrown, with the messages of its causes. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `: ${reasonOf(error.cause)}`;
  return `${error.message}${cause}`;
}
