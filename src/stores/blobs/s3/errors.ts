/** The SDK's failures as our own. Decided by error name, status and errno; never by a message. */

import { PROXY_REFUSED } from '../../../machine/proxy/agents.ts';
import { errnoOf, StagerError } from '../../../words/errors.ts';

/** What the SDK says of a failure. */
export interface S3Failure {
  readonly name: string;
  /** HTTP status, or 0 when no answer came. */
  readonly status: number;
  readonly errno: string;
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
  // What arrived was not what was sent: the wire damaged it.
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
export function failureOf(error: unknown): S3Failure {
  if (!(error instanceof Error)) return { name: '', status: 0, errno: '' };
  const metadata = '$metadata' in error ? Object(error.$metadata) : {};
  const status = typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : 0;
  return { name: error.name, status, errno: errnoOf(error) ?? errnoOf(error.cause) ?? '' };
}

/** Whether the same request may well succeed in a moment. */
export function isTransient(error: unknown): boolean {
  if (error instanceof StagerError) return false;
  const { name, status, errno } = failureOf(error);
  if (FULL.has(name)) return false;
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

/** Whether the store does not know the feature that was asked for. */
export function isNotImplemented(error: unknown): boolean {
  const { name, status } = failureOf(error);
  return name === 'NotImplemented' || status === 501;
}
