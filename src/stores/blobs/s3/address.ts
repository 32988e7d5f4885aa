/** `s3://bucket/prefix?…` as settings. docs/blobstore.md lists the parameters. */
import { z } from 'zod';
import { StagerError } from '../../../words/errors.ts';

const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const MIB = 1 << 20;

const parameters = z.strictObject({
  endpoint: z.url({ protocol: /^https?$/, error: 'write https://HOST or http://HOST:PORT' }).optional(),
  region: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/, 'write it like eu-central-1')
    .optional(),
  pathStyle: flag.optional(),
  sse: z.enum(['AES256', 'aws:kms', 'aws:kms:dsse']).optional(),
  kmsKeyId: z.string().min(1).optional(),
  storageClass: z
    .enum([
      'STANDARD',
      'STANDARD_IA',
      'ONEZONE_IA',
      'INTELLIGENT_TIERING',
      'GLACIER_IR',
      'REDUCED_REDUNDANCY',
    ])
    .optional(),
  caFile: z.string().min(1).optional(),
  profile: z.string().min(1).optional(),
  partSizeMib: z.coerce.number().int().min(5).max(512).default(8),
  concurrency: z.coerce.number().int().min(1).max(64).default(6),
  attempts: z.coerce.number().int().min(1).max(20).default(7),
  requestTimeoutMs: z.coerce.number().int().min(100).max(3_600_000).default(60_000),
});

/** Settings of one S3 store. */
export interface S3Address extends Omit<z.infer<typeof parameters>, 'partSizeMib' | 'pathStyle'> {
  readonly bucket: string;
  /** Starts every key; empty or ending in `/`. */
  readonly prefix: string;
  readonly pathStyle: boolean;
  readonly partSizeBytes: number;
  /** For people: bucket, prefix and endpoint; no secret. */
  readonly url: string;
}

/**
 * Parses an address. A custom endpoint uses path style unless told otherwise, since hardly any has a wildcard name
 * in DNS.
 *
 * @throws StagerError CONFIG_INVALID; credentials in the address are refused and never shown.
 */
export function parseS3Address(address: string): S3Address {
  const url = URL.parse(address);
  if (url === null || url.protocol !== 's3:' || url.hostname === '')
    throw invalid('it is not an s3://BUCKET/PREFIX');
  if (url.username !== '' || url.password !== '') {
    throw invalid('it contains credentials; give them by environment, profile or instance role instead');
  }
  const bucket = url.hostname;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    throw invalid(`the bucket name ${bucket} is not valid`);
  // A URL takes dots away, and what is left names something else.
  if (/\/(\.|%2e){1,2}(\/|$)/i.test(address.replace(/[?#].*$/s, '')))
    throw invalid('the prefix has . or .. in it');
  const path = url.pathname.replace(/^\/+|\/+$/g, '');
  if (path !== '' && !/^[A-Za-z0-9._/-]+$/.test(path))
    throw invalid('the prefix has characters other than A-Z a-z 0-9 . _ - /');
  const parsed = parameters.safeParse(Object.fromEntries(url.searchParams));
  if (!parsed.success) throw invalid(reasonsOf(parsed.error));
  for (const name of Object.keys(parsed.data))
    if (url.searchParams.getAll(name).length > 1) throw invalid(`${name} is given twice`);
  const { partSizeMib, pathStyle, ...rest } = parsed.data;
  if (rest.kmsKeyId !== undefined && rest.sse !== 'aws:kms' && rest.sse !== 'aws:kms:dsse') {
    throw invalid('kmsKeyId needs sse=aws:kms');
  }
  if (rest.endpoint !== undefined) checkEndpoint(new URL(rest.endpoint));
  const prefix = path === '' ? '' : `${path}/`;
  const at = rest.endpoint === undefined ? '' : `?endpoint=${rest.endpoint}`;
  return {
    ...rest,
    bucket,
    prefix,
    pathStyle: pathStyle ?? rest.endpoint !== undefined,
    partSizeBytes: partSizeMib * MIB,
    url: `s3://${bucket}/${path}${at}`,
  };
}

/** It is shown in messages, so nothing secret may hide in it. */
function checkEndpoint({ username, password, search, hash }: URL): void {
  if (username !== '' || password !== '') throw invalid('the endpoint contains credentials');
  if (search !== '' || hash !== '') throw invalid('the endpoint has more than scheme, host, port and path');
}

/** Which parameters are wrong, without their values: one of them could be a misplaced secret. */
function reasonsOf(error: z.ZodError): string {
  return error.issues
    .map((issue) => {
      if (issue.code === 'unrecognized_keys')
        return `unknown parameter ${issue.keys.map((key) => (/^[A-Za-z_]{1,24}$/.test(key) ? key : '…')).join(', ')}`;
      return `${issue.path.join('.')} is not valid (${issue.message})`;
    })
    .join('; ');
}

function invalid(why: string): StagerError {
  return new StagerError('CONFIG_INVALID', `the S3 address can't be used: ${why}`, {
    next: `Write s3://BUCKET/PREFIX?PARAMETER=…; parameters: ${Object.keys(parameters.shape).join(', ')}.`,
  });
}
