/** Failures of the SDK as failures that a person can act on: bucket, key, endpoint, and what to do. */

import { PROXY_REFUSED } from '../../../machine/proxy/agents.ts';
import { StagerError } from '../../../words/errors.ts';
import { CREDENTIALS, FULL, failureOf, type S3Failure } from './errors.ts';

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

const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);

/** Of stores that keep objects as files: versitygw's and MinIO's. */
const PARENT_IS_OBJECT = new Set(['ObjectParentIsFile', 'XMinioParentIsObject']);

/** The StagerError for a failure that came while `doing` something. */
export function s3Error(error: unknown, doing: string, place: S3Place): unknown {
  if (error instanceof StagerError || !(error instanceof Error)) return error;
  const failure = failureOf(error);
  if (failure.name === 'Error' && failure.status === 0 && failure.errno === '') return error;
  const [code, why, next] =
    networkVerdict(failure, { place, error }) ?? answerVerdict(failure, place) ?? unknownVerdict(failure);
  const at = place.endpoint === '' ? '' : ` at ${place.endpoint}`;
  const key = place.key === '' ? '' : `, key ${place.key}`;
  return new StagerError(code, `${doing} failed: ${why} (bucket ${place.bucket}${key}${at})`, {
    next,
    details: { ...place, error: failure.name, status: failure.status, errno: failure.errno },
    cause: error,
  });
}

/** No answer came. */
function networkVerdict(
  { name, errno }: S3Failure,
  { place, error }: { readonly place: S3Place; readonly error: Error },
): Verdict | undefined {
  if (name === 'TimeoutError') {
    return [
      'BLOBSTORE_UNAVAILABLE',
      `the store did not answer within requestTimeoutMs (${place.requestTimeoutMs} ms)`,
      'Check why the store is slow, or raise requestTimeoutMs in its address.',
    ];
  }
  // Its text is ours (proxy/agents.ts).
  if (errno === PROXY_REFUSED) {
    return [
      'BLOBSTORE_UNAVAILABLE',
      error.message,
      'Check http_proxy and https_proxy, or name the host of the store in no_proxy.',
    ];
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
function answerVerdict({ name, status }: S3Failure, { bucket }: S3Place): Verdict | undefined {
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
      `the credentials were not accepted (${name})`,
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
    return ['BLOBSTORE_FULL', `the store is full (${name})`, next];
  }
  if (status === 401 || status === 403) {
    return [
      'BLOBSTORE_DENIED',
      `access was denied (${name})`,
      `Allow s3:GetObject, PutObject, DeleteObject, ListBucket, AbortMultipartUpload and ListBucketMultipartUploads on ${bucket}; with sse=aws:kms also kms:GenerateDataKey and kms:Decrypt on its key.`,
    ];
  }
  if (status === 301 || name === 'PermanentRedirect' || name === 'AuthorizationHeaderMalformed') {
    return ['CONFIG_INVALID', 'the bucket is in another region', 'Give it with ?region=….'];
  }
  return undefined;
}

function unknownVerdict({ name, status, errno }: S3Failure): Verdict {
  const what = errno !== '' ? errno : status === 0 ? name : `${name}, HTTP ${status}`;
  return [
    'BLOBSTORE_UNAVAILABLE',
    `the store refused or failed (${what})`,
    'Check endpoint, network and the state of the store, then try again.',
  ];
}
