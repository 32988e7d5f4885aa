/** How downloads fail. No message holds a URL's user info. */
import { WHO_ALLOWS } from '../../../machine/network/download-filter.ts';
import { errnoOf, StagerError } from '../../../words/errors.ts';
import type { Sha256 } from '../../../words/ids.ts';
import { redactUrls } from '../../logs/redact.ts';

/** A stream that can be given up. */
export interface Attempted {
  destroy(): unknown;
}

/** A failure that another attempt may not meet. */
export class Retryable extends Error {}

/** One sentence on an error of the network. */
export function describe(error: unknown): string {
  const text = error instanceof Error ? redactUrls(error.message) : 'unknown error';
  const code = errnoOf(error);
  return code === undefined || text.includes(code) ? text : `${text} (${code})`;
}

/** BUILDPACK_DOWNLOAD_FAILED. */
export function failed(
  key: string,
  why: { readonly reason: string; readonly attempts: number; readonly status?: number },
): StagerError {
  const { reason, attempts, status } = why;
  const next =
    status === 401 || status === 403
      ? 'Check the credentials in the URL and their permissions.'
      : status === 404 || status === 410
        ? 'Check the URL; there is nothing at that address.'
        : 'Check the URL, the proxy settings and --ca-file, and try again.';
  const tried = attempts > 1 ? ` (${attempts} attempts)` : '';
  return new StagerError(
    'BUILDPACK_DOWNLOAD_FAILED',
    `buildpack ${key} can't be downloaded: ${reason}${tried}`,
    {
      next,
      details: { buildpack: key, reason, attempts, ...(status !== undefined && { status }) },
    },
  );
}

/** BUILDPACK_DOWNLOAD_FAILED of what a server's rules keep us from. */
export function refused(key: string, why: Error): StagerError {
  return new StagerError('BUILDPACK_DOWNLOAD_FAILED', `buildpack ${key} can't be fetched: ${why.message}`, {
    next: WHO_ALLOWS,
    details: { buildpack: key, reason: why.message },
  });
}

/** BUILDPACK_CHECKSUM_MISMATCH. */
export function mismatch(key: string, expected: Sha256, actual: Sha256): StagerError {
  return new StagerError(
    'BUILDPACK_CHECKSUM_MISMATCH',
    `buildpack ${key} has sha256 ${actual}, expected ${expected}; it was discarded`,
    {
      next: 'The file changed or was tampered with: get the new digest from whoever publishes it.',
      details: { buildpack: key, expected, actual },
    },
  );
}

/** BUILDPACK_DOWNLOAD_FAILED for a body above the limit. */
export function tooLarge(key: string, limitBytes: number, actualBytes: number): StagerError {
  return new StagerError(
    'BUILDPACK_DOWNLOAD_FAILED',
    `buildpack ${key} is larger than ${limitBytes} bytes (at least ${actualBytes})`,
    {
      next: 'Use a smaller package of the buildpack, such as one for a single stack.',
      details: { buildpack: key, limitBytes, actualBytes },
    },
  );
}
