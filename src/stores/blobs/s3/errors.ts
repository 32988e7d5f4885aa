/** The SDK's failures as our own. Decided by error name, status and errno; never by a message. */

import { PROXY_REFUSED } from '../../../machine/proxy/agents.ts';
import { errnoOf, StagerError } from '../../../words/errors.ts';
import { GaveUp } from '../../../words/retry.ts';

/** What the SDK says of a failure. */
export interface S3Failure {
  readonly name: string;
  /** HTTP status, or 0 when no answer came. */
  readonly status: number;
  readonly errno: string;
  /** Of an answer that is not S3's: what is odd about it. */
  readonly odd: string;
  /** Where the bucket is, when the answer says so. */
  readonly region: string;
}

/** An answer that is not one of an S3 store to that request: of a proxy, a login page, a broken store. */
export class OddAnswer extends Error {
  override readonly name = 'OddAnswer';
}

/** One attempt lasted longer than its size allows, although something came now and then. */
export class TooSlow extends Error {
  override readonly name = 'TooSlow';
}

const TRANSIENT = new Set([
  'RequestTimeout',
  'RequestTimeoutException',
  'TimeoutError',
  'SlowDown',
  'SlowDownRead',
  'SlowDownWrite',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
  'TooManyRequestsException',
  'RequestLimitExceeded',
  'BandwidthLimitExceeded',
  'PriorRequestNotComplete',
  'InternalError',
  'InternalFailure',
  'ServiceUnavailable',
  'OperationAborted',
  'ConditionalRequestConflict',
  // The SDK learns the store's clock from the answer, so the next attempt is signed with the right time.
  'RequestTimeTooSkewed',
  'RequestExpired',
  // What arrived was not what was sent: it was damaged on the way.
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'IncompleteBody',
]);
const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);
const TRANSIENT_ERRNO = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EAI_AGAIN',
  PROXY_REFUSED,
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC',
]);
/** The store has no room. */
export const FULL: ReadonlySet<string> = new Set([
  'QuotaExceeded',
  'XMinioStorageFull',
  'XMinioAdminBucketQuotaExceeded',
  'StorageFull',
  'InsufficientCapacity',
  'NoSpaceLeft',
]);
/** Who asks is not known, or not believed. */
export const CREDENTIALS: ReadonlySet<string> = new Set([
  'CredentialsProviderError',
  'InvalidAccessKeyId',
  // versitygw, with status 404.
  'XAdminUserNotFound',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'TokenRefreshRequired',
]);

/** Reads a failure of the SDK or of the socket below it. */
export function failureOf(thrown: unknown): S3Failure {
  const error = thrown instanceof GaveUp ? thrown.cause : thrown;
  if (!(error instanceof Error)) return { name: '', status: 0, errno: '', odd: '', region: '' };
  const metadata = '$metadata' in error ? Object(error.$metadata) : {};
  const status = typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : 0;
  const errno = errnoOf(error) ?? errnoOf(error.cause) ?? '';
  return {
    name: error.name,
    status,
    errno,
    odd: oddityOf(error, { status, errno }),
    region: regionOf(error),
  };
}

/** What is odd about an answer: said by us, by Node's parser, or by the SDK's after a status that promised a result. */
function oddityOf(
  error: Error,
  { status, errno }: { readonly status: number; readonly errno: string },
): string {
  if (error instanceof OddAnswer) return error.message;
  if (errno.startsWith('HPE_') || errno === 'ERR_HTTP_INVALID_STATUS_CODE')
    return `it is not HTTP (${errno})`;
  if (errno === '' && status >= 200 && status < 300) return `HTTP ${status} with a body that can't be read`;
  return '';
}

/** Headers of the answer that a failure came with, where one came. */
function headerOf(error: unknown, name: string): string {
  const cause = error instanceof GaveUp ? error.cause : error;
  const headers = Object(Object(Object(cause).$response).headers);
  return typeof headers[name] === 'string' ? headers[name] : '';
}

function regionOf(error: Error): string {
  const named = 'Region' in error && typeof error.Region === 'string' ? error.Region : '';
  const region = headerOf(error, 'x-amz-bucket-region') || named;
  return /^[a-z0-9-]{1,63}$/.test(region) ? region : '';
}

/** For how long the store asks to be left alone. */
export function retryAfterMs(error: unknown): number | undefined {
  const seconds = headerOf(error, 'retry-after');
  return /^\d{1,6}$/.test(seconds) ? Number(seconds) * 1_000 : undefined;
}

/** Whether the same request may well succeed in a moment. */
export function isTransient(error: unknown): boolean {
  if (error instanceof StagerError) return false;
  const { name, status, errno, odd } = failureOf(error);
  if (FULL.has(name)) return false;
  if (odd !== '' || name === 'TooSlow') return true;
  return TRANSIENT.has(name) || TRANSIENT_STATUS.has(status) || TRANSIENT_ERRNO.has(errno);
}

/** Whether the failure says that the object is not there. */
export function isAbsent(error: unknown): boolean {
  const { name, status } = failureOf(error);
  if (name === 'NoSuchBucket' || CREDENTIALS.has(name)) return false;
  return name === 'NoSuchKey' || name === 'NotFound' || status === 404;
}

/** Whether a conditional write found its condition unmet. */
export function isConditionUnmet(error: unknown): boolean {
  const { name, status } = failureOf(error);
  return name === 'PreconditionFailed' || status === 412;
}

/** Whether the store does not have the operation, or does not let us use it; told by any answer that says no for good. */
export function isDenied(error: unknown): boolean {
  const { name, status } = failureOf(error);
  return name === 'NotImplemented' || [403, 404, 405, 501].includes(status);
}
