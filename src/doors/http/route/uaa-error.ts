/** Failures of the sign-in, in UAA's words. */

/** Whose failures are in UAA's words, and whose scopes are its own. */
export const UAA_PREFIX = '/uaa';

/** `{"error","error_description"}`. Clients decide by status and `error`, and print the description. */
export class UaaError extends Error {
  override readonly name = 'UaaError';
  readonly status: number;
  readonly error: string;

  constructor(status: number, error: string, description: string) {
    super(description);
    this.status = status;
    this.error = error;
  }
}

export function unauthorized(description: string): UaaError {
  return new UaaError(401, 'unauthorized', description);
}

export function insufficientScope(): UaaError {
  return new UaaError(403, 'insufficient_scope', 'You are not authorized to perform the requested action.');
}

export function isUaaPath(path: string): boolean {
  return path === UAA_PREFIX || path.startsWith(`${UAA_PREFIX}/`);
}
