/** Failures of the SDK as failures that a person can act on: bucket, key, endpoint, and what to do. */

import { PROXY_REFUSED } from '../../../machine/proxy/agents.ts';
import { StagerError } from '../../../words/errors.ts';
import { GaveUp } from '../../../words/retry.ts';
import { CREDENTIALS, FULL, failureOf, retryAfterMs, type S3Failure } from './errors.ts';

/** Where it happened: named in every message. */
export interface S3Place {
  readonly bucket: string;
  /** Key inside the bucket; empty for the bucket itself. */
  readonly key: string;
  /** `https://host`. */
  readonly endpoint: string;
  /** Silence after which a request is given up. */
  readonly requestTimeoutMs: number;
}

type Verdict = readonly [
  (
    | 'BLOBSTORE_DENIED'
    | 'BLOBSTORE_FULL'
    | 'BLOBSTORE_UNAVAILABLE'
    | 'BLOB_NOT_FOUND'
    | 'CONFIG_INVALID'
    | 'USAGE'
  ),
  string,
  string,
];

const CHECK_PROXY = 'Check http_proxy and https_proxy, or name the host of the store in no_proxy.';

const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);

const BROKEN = new Set(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

/** Of stores that keep objects as files: versitygw's and MinIO's. */
const PARENT_IS_OBJECT = new Set(['ObjectParentIsFile', 'XMinioParentIsObject']);

/** The StagerError for a failure that came while `doing` something: what, where, what came back, and how often. */
export function s3Error(thrown: unknown, doing: string, place: S3Place): unknown {
  const error = thrown instanceof GaveUp ? thrown.cause : thrown;
  if (error instanceof StagerError || !(error instanceof Error)) return error;
  const failure = failureOf(error);
  if (failure.name === 'Error' && failure.status === 0 && failure.errno === '') return error;
  const [code, why, next] =
    networkVerdict(failure, { place, error }) ?? answerVerdict(failure, place) ?? unknownVerdict(failure);
  const key = place.key === '' ? '' : `, key ${place.key}`;
  const attempts = thrown instanceof GaveUp ? thrown.attempts : 1;
  const at = `bucket ${place.bucket}${key} at ${place.endpoint}; ${triesOf(thrown, error)}`;
  return new StagerError(code, `${doing} failed: ${why} (${at})`, {
    next,
    details: { ...place, attempts, error: failure.name, status: failure.status, errno: failure.errno },
    cause: error,
  });
}

function triesOf(thrown: unknown, error: Error): string {
  if (!(thrown instanceof GaveUp)) return 'tried once';
  const tried = thrown.attempts === 1 ? 'tried once' : `tried ${thrown.attempts} times`;
  if (thrown.deadlineMs === undefined) return tried;
  const asked = retryAfterMs(error);
  const wait = asked === undefined ? '' : `, and the store asks for a pause of ${asked / 1000} s`;
  return `${tried}; the deadline of ${thrown.deadlineMs / 1000} s for one request passed${wait}`;
}

/** No answer came. */
function networkVerdict(
  { name, errno, odd, status }: S3Failure,
  { place, error }: { readonly place: S3Place; readonly error: Error },
): Verdict | undefined {
  if (status === 407) {
    return ['BLOBSTORE_UNAVAILABLE', 'the proxy wants to know who we are (407)', CHECK_PROXY];
  }
  if (odd !== '') {
    return [
      'BLOBSTORE_UNAVAILABLE',
      `the answer is not one of an S3 store: ${odd}`,
      'Check that the endpoint is an S3 store, and what answers in its place: a proxy, or a page that wants a login.',
    ];
  }
  // The SDK calls every broken connection a time-out.
  if ((name === 'TimeoutError' && (errno === '' || errno === 'ETIMEDOUT')) || name === 'TooSlow') {
    return [
      'BLOBSTORE_UNAVAILABLE',
      name === 'TooSlow'
        ? 'the store answered too slowly to ever end'
        : `the store did not answer within requestTimeoutMs (${place.requestTimeoutMs} ms)`,
      'Check why the store is slow, or raise requestTimeoutMs in its address.',
    ];
  }
  if (BROKEN.has(errno)) {
    return [
      'BLOBSTORE_UNAVAILABLE',
      `the connection was broken off (${errno})`,
      'Check the network, a proxy in between, and the state of the store, then try again.',
    ];
  }
  // Its text is ours (proxy/agents.ts).
  if (errno === PROXY_REFUSED) {
    return ['BLOBSTORE_UNAVAILABLE', error.message, CHECK_PROXY];
  }
  if (errno === 'ENOTFOUND') {
    return [
      'BLOBSTORE_UNAVAILABLE',
      'there is no such host (ENOTFOUND)',
      'Correct endpoint, region or bucket in the address; a store without a host name for each bucket needs pathStyle=true.',
    ];
  }
  if (UNTRUSTED.has(errno)) {
    return [
      'BLOBSTORE_UNAVAILABLE',
      `its certificate is not signed by a trusted authority (${errno})`,
      'Name the authority with caFile=… in the address or with --ca-file.',
    ];
  }
  return undefined;
}

/** The store said what is wrong. */
function answerVerdict({ name, status, region }: S3Failure, { bucket, key }: S3Place): Verdict | undefined {
  if (name === 'NoSuchBucket') {
    const next = `Create the bucket ${bucket}, or correct the address.`;
    return ['BLOBSTORE_UNAVAILABLE', 'the bucket does not exist', next];
  }
  if (name === 'CredentialsProviderError') {
    return [
      'BLOBSTORE_DENIED',
      'there are no credentials, or they cannot be fetched',
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role that this machine may use.',
    ];
  }
  if (CREDENTIALS.has(name)) {
    return [
      'BLOBSTORE_DENIED',
      `the credentials were not accepted (${answerOf(name, status)})`,
      'Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile, or the role that gives them.',
    ];
  }
  if (name === 'RequestTimeTooSkewed') {
    return [
      'BLOBSTORE_DENIED',
      "this machine's clock differs too much from the store's",
      'Set the clock (NTP).',
    ];
  }
  if (status === 404 && name !== 'NoSuchKey' && (key === '' || key.endsWith('/'))) {
    const next = `Correct endpoint, pathStyle or bucket in the address, or create the bucket ${bucket}.`;
    return [
      'BLOBSTORE_UNAVAILABLE',
      `there is no such bucket at the endpoint (${answerOf(name, status)})`,
      next,
    ];
  }
  if (name === 'NoSuchKey' || name === 'NotFound' || status === 404) {
    return ['BLOB_NOT_FOUND', 'there is no such blob', 'List what there is with `stager blobs ls`.'];
  }
  if (PARENT_IS_OBJECT.has(name)) {
    return [
      'USAGE',
      "a blob's name is the directory of another one's",
      'Choose a name that no other name starts with.',
    ];
  }
  if (FULL.has(name) || status === 507) {
    const next = 'Free space with `stager blobs gc`, or raise the quota.';
    return ['BLOBSTORE_FULL', `the store is full (${answerOf(name, status)})`, next];
  }
  if (status === 401 || status === 403) {
    return [
      'BLOBSTORE_DENIED',
      `access was denied (${answerOf(name, status)})`,
      `Allow s3:GetObject, PutObject, DeleteObject, ListBucket, AbortMultipartUpload and ListBucketMultipartUploads on ${bucket}; with sse=aws:kms also kms:GenerateDataKey and kms:Decrypt on its key.`,
    ];
  }
  if ([301, 302, 307, 308].includes(status) || name === 'AuthorizationHeaderMalformed') {
    const where = region === '' ? 'another region, or at another endpoint' : `the region ${region}`;
    const next = `Give it with ?region=${region === '' ? '…' : region}, or correct the endpoint.`;
    return ['CONFIG_INVALID', `the bucket is in ${where} (${answerOf(name, status)})`, next];
  }
  return undefined;
}

function unknownVerdict({ name, status, errno }: S3Failure): Verdict {
  const what = errno !== '' ? errno : answerOf(name, status);
  return [
    'BLOBSTORE_UNAVAILABLE',
    `the store refused or failed (${what})`,
    'Check endpoint, network and the state of the store, then try again.',
  ];
}

const answerOf = (name: string, status: number): string => (status === 0 ? name : `${name}, HTTP ${status}`);
