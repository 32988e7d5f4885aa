/** Messages for failures of an S3 store: tables that map the symptoms to sentences. */
import { PROXY_REFUSED } from '../../../machine/proxy/agents.ts';
import { CREDENTIALS, FULL, type S3Failure } from './errors.ts';

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

/** Code, why, and what to do. */
type Verdict = readonly [
  code:
    | 'BLOBSTORE_DENIED'
    | 'BLOBSTORE_FULL'
    | 'BLOBSTORE_UNAVAILABLE'
    | 'BLOB_NOT_FOUND'
    | 'CONFIG_INVALID'
    | 'USAGE',
  why: string,
  next: string,
];

/** A failure, and what is said of it. */
export interface Failing extends S3Failure {
  readonly place: S3Place;
  /** What was thrown, in words. */
  readonly text: string;
}

/** The first row that fits speaks. */
type Rule = readonly [fits: (it: Failing) => boolean, verdict: (it: Failing) => Verdict];

const CHECK_PROXY = 'Check http_proxy and https_proxy, or name the host of the store in no_proxy.';

const CHECK_SPEED = 'Check why the store is slow, or raise requestTimeoutMs in its address.';

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

const MOVED = new Set([301, 302, 307, 308]);

const isBare = ({ place: { key } }: Failing): boolean => key === '' || key.endsWith('/');

/** No answer came, or not one of a store. */
const NETWORK: readonly Rule[] = [
  [
    ({ status }) => status === 407,
    () => ['BLOBSTORE_UNAVAILABLE', 'the proxy asks for credentials (407)', CHECK_PROXY],
  ],
  [
    ({ odd }) => odd !== '',
    ({ odd }) => [
      'BLOBSTORE_UNAVAILABLE',
      `the answer is not one of an S3 store: ${odd}`,
      'Check that the endpoint is an S3 store, and what answers instead: a proxy, or a login page.',
    ],
  ],
  [
    ({ name }) => name === 'TooSlow',
    () => ['BLOBSTORE_UNAVAILABLE', 'the store answered too slowly to ever end', CHECK_SPEED],
  ],
  [
    // The SDK calls every broken connection a time-out.
    ({ name, errno }) => name === 'TimeoutError' && (errno === '' || errno === 'ETIMEDOUT'),
    ({ place }) => [
      'BLOBSTORE_UNAVAILABLE',
      `the store did not answer within requestTimeoutMs (${place.requestTimeoutMs} ms)`,
      CHECK_SPEED,
    ],
  ],
  [
    ({ errno }) => BROKEN.has(errno),
    ({ errno }) => [
      'BLOBSTORE_UNAVAILABLE',
      `the connection was lost (${errno})`,
      'Check the network, a proxy in between, and the state of the store, then try again.',
    ],
  ],
  // Its text is ours (proxy/agents.ts).
  [({ errno }) => errno === PROXY_REFUSED, ({ text }) => ['BLOBSTORE_UNAVAILABLE', text, CHECK_PROXY]],
  [
    ({ errno }) => errno === 'ENOTFOUND',
    () => [
      'BLOBSTORE_UNAVAILABLE',
      'there is no such host (ENOTFOUND)',
      'Correct the endpoint, region or bucket in the address; a store without a host name for each bucket needs pathStyle=true.',
    ],
  ],
  [
    ({ errno }) => UNTRUSTED.has(errno),
    ({ errno }) => [
      'BLOBSTORE_UNAVAILABLE',
      `its certificate is not signed by a trusted authority (${errno})`,
      'Name the authority with caFile=… in the address or with --ca-file.',
    ],
  ],
];

/** The store said what is wrong: who we are to it. */
const ACCESS: readonly Rule[] = [
  [
    ({ name }) => name === 'CredentialsProviderError',
    () => [
      'BLOBSTORE_DENIED',
      'there are no credentials, or they cannot be fetched',
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role that this machine may use.',
    ],
  ],
  [
    ({ name }) => CREDENTIALS.has(name),
    (it) => [
      'BLOBSTORE_DENIED',
      `the credentials were not accepted (${answerOf(it)})`,
      'Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile, or the role that gives them.',
    ],
  ],
  [
    ({ name }) => name === 'RequestTimeTooSkewed',
    () => [
      'BLOBSTORE_DENIED',
      "this machine's clock differs too much from the store's",
      'Set the clock (NTP).',
    ],
  ],
];

/** The store said what is wrong: what it has, and what it takes. */
const CONTENT: readonly Rule[] = [
  [
    ({ name }) => name === 'NoSuchBucket',
    ({ place: { bucket } }) => [
      'BLOBSTORE_UNAVAILABLE',
      'the bucket does not exist',
      `Create the bucket ${bucket}, or correct the address.`,
    ],
  ],
  [
    (it) => it.status === 404 && it.name !== 'NoSuchKey' && isBare(it),
    (it) => [
      'BLOBSTORE_UNAVAILABLE',
      `there is no such bucket at the endpoint (${answerOf(it)})`,
      `Correct the endpoint, pathStyle or bucket in the address, or create the bucket ${it.place.bucket}.`,
    ],
  ],
  [
    ({ name, status }) => name === 'NoSuchKey' || name === 'NotFound' || status === 404,
    () => ['BLOB_NOT_FOUND', 'there is no such blob', 'List the blobs with `stager blobs ls`.'],
  ],
  [
    ({ name }) => PARENT_IS_OBJECT.has(name),
    () => [
      'USAGE',
      "a blob's name is the directory of another one's",
      'Choose a name that no other name starts with.',
    ],
  ],
  [
    ({ name, status }) => FULL.has(name) || status === 507,
    (it) => [
      'BLOBSTORE_FULL',
      `the store is full (${answerOf(it)})`,
      'Free space with `stager blobs gc`, or raise the quota.',
    ],
  ],
  [
    ({ status }) => status === 401 || status === 403,
    (it) => [
      'BLOBSTORE_DENIED',
      `access was denied (${answerOf(it)})`,
      `Allow s3:GetObject, PutObject, DeleteObject, ListBucket, AbortMultipartUpload and ListBucketMultipartUploads on ${it.place.bucket}; with sse=aws:kms also kms:GenerateDataKey and kms:Decrypt on its key.`,
    ],
  ],
  [
    ({ name, status }) => MOVED.has(status) || name === 'AuthorizationHeaderMalformed',
    (it) => {
      const { region } = it;
      const where = region === '' ? 'another region, or at another endpoint' : `the region ${region}`;
      const next = `Give it with ?region=${region === '' ? '…' : region}, or correct the endpoint.`;
      return ['CONFIG_INVALID', `the bucket is in ${where} (${answerOf(it)})`, next];
    },
  ],
];

const RULES: readonly Rule[] = [...NETWORK, ...ACCESS, ...CONTENT];

/** The first verdict that fits; there is always one. */
export function verdictOn(it: Failing): Verdict {
  return (RULES.find(([fits]) => fits(it))?.[1] ?? unknownVerdict)(it);
}

function unknownVerdict(it: Failing): Verdict {
  return [
    'BLOBSTORE_UNAVAILABLE',
    `the store refused or failed (${it.errno === '' ? answerOf(it) : it.errno})`,
    'Check the endpoint, the network and the state of the store, then try again.',
  ];
}

function answerOf({ name, status }: S3Failure): string {
  return status === 0 ? name : `${name}, HTTP ${status}`;
}
