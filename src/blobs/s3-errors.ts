/** The SDK's failures as failures of ours. Decided by error name, status and errno; never by a message. */
import { errnoOf, StagerError } from '../errors.ts';

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
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC',
]);
const FULL = new Set([
  'QuotaExceeded',
  'XMinioStorageFull',
  'XMinioAdminBucketQuotaExceeded',
  'StorageFull',
  'InsufficientCapacity',
  'NoSpaceLeft',
]);
const CREDENTIALS = new Set([
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

/** Where it happened: named in every message. */
export interface S3Place {
  readonly bucket: string;
  /** Key inside the bucket; empty for the bucket itself. */
  readonly key: string;
  /** `https://host` or empty for AWS. */
  readonly endpoint: string;
  /** Silence after which a request is given up. */
  readonly requestTimeoutMs: number;
}

/** The StagerError for a failure that came while `doing` something. */
export function s3Error(error: unknown, doing: string, place: S3Place): unknown {
  if (error instanceof StagerError || !(error instanceof Error)) return error;
  const failure = failureOf(error);
  if (failure.name === 'Error' && failure.status === 0 && failure.errno === '') return error;
  const [code, why, next] = verdict(failure, place);
  const at = place.endpoint === '' ? '' : ` at ${place.endpoint}`;
  const key = place.key === '' ? '' : `, key ${place.key}`;
  return new StagerError(code, `${doing} failed: ${why} (bucket ${place.bucket}${key}${at})`, {
    next,
    details: { ...place, error: failure.name, status: failure.status, errno: failure.errno },
    cause: error,
  });
}

type Verdict = readonly [
  'BLOBSTORE_DENIED' | 'BLOBSTORE_FULL' | 'BLOBSTORE_UNAVAILABLE' | 'BLOB_NOT_FOUND' | 'CONFIG_INVALID',
  string,
  string,
];

function verdict({ name, status, errno }: S3Failure, { bucket, requestTimeoutMs }: S3Place): Verdict {
  if (name === 'NoSuchBucket') {
    return [
      'BLOBSTORE_UNAVAILABLE',
      'the bucket does not exist',
      `Create the bucket ${bucket}, or correct the address.`,
    ];
  }
  if (CREDENTIALS.has(name)) {
    return [
      'BLOBSTORE_DENIED',
      `the credentials were not accepted (${name})`,
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role that this machine may use.',
    ];
  }
  if (name === 'RequestTimeTooSkewed') {
    return [
      'BLOBSTORE_DENIED',
      "this machine's clock differs too much from the store's",
      'Set the clock (NTP).',
    ];
  }
  if (name === 'NoSuchKey' || name === 'NotFound' || status === 404) {
    return ['BLOB_NOT_FOUND', 'there is no such blob', 'List what there is with `stager blobs ls`.'];
  }
  if (FULL.has(name) || status === 507) {
    return [
      'BLOBSTORE_FULL',
      `the store is full (${name})`,
      'Free space with `stager blobs gc`, or raise the quota.',
    ];
  }
  if (status === 401 || status === 403) {
    return [
      'BLOBSTORE_DENIED',
      `access was denied (${name})`,
      `Allow s3:GetObject, PutObject, DeleteObject, ListBucket and AbortMultipartUpload on ${bucket}.`,
    ];
  }
  if (status === 301 || name === 'PermanentRedirect' || name === 'AuthorizationHeaderMalformed') {
    return ['CONFIG_INVALID', 'the bucket is in another region', 'Give it with ?region=….'];
  }
  if (name === 'TimeoutError') {
    return [
      'BLOBSTORE_UNAVAILABLE',
      `the store did not answer within requestTimeoutMs (${requestTimeoutMs} ms)`,
      'Check why the store is slow, or raise requestTimeoutMs in its address.',
    ];
  }
  const what = errno !== '' ? errno : status === 0 ? name : `${name}, HTTP ${status}`;
  return [
    'BLOBSTORE_UNAVAILABLE',
    `the store did not do it (${what})`,
    'Check endpoint, network and the state of the store, then try again.',
  ];
}
