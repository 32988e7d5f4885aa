/** Listing keys, unfinished uploads and records. */
import {
  AbortMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { CLOCK_SKEW_MS } from '../../../words/clock.ts';
import { StagerError, throwIfCancelled } from '../../../words/errors.ts';
import type { BlobKind, BlobName, Leftover, ListOptions, SweepOptions } from '../port/blob-store.ts';
import { keyOfPath, pathPrefixOf } from '../port/key.ts';
import { isAbsent, isNotImplemented } from './errors.ts';
import { deleteObject, META } from './record.ts';
import type { S3Session } from './session.ts';

interface RawObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

/** Objects under a prefix of the bucket, a thousand a request. */
async function* objects(session: S3Session, prefix: string, signal: AbortSignal): AsyncGenerator<RawObject> {
  let token: string | undefined;
  do {
    const command = new ListObjectsV2Command({
      Bucket: session.address.bucket,
      Prefix: prefix,
      ...(token === undefined ? {} : { ContinuationToken: token }),
    });
    const page = await session.send('listing', { key: prefix, signal }, () =>
      session.client.send(command, { abortSignal: signal }),
    );
    for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
      yield { key: Key, sizeBytes: Size, modifiedAtMs: LastModified?.getTime() ?? 0 };
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    const { IsTruncated, KeyCount, Name } = page;
    // A web page, of somebody who wants us to sign in, is an answer with nothing in it.
    if (IsTruncated === undefined && KeyCount === undefined && Name === undefined)
      throw noListing(session, prefix, 'it is not a listing');
    if (IsTruncated === true && token === undefined)
      throw noListing(session, prefix, 'it says that there is more, but not where');
  } while (token !== undefined);
}

/** What is not a whole listing must not be taken for one: what it leaves out would count as unneeded. */
function noListing(session: S3Session, prefix: string, why: string): StagerError {
  return new StagerError(
    'BLOBSTORE_UNAVAILABLE',
    `the store's answer is not a whole listing of ${session.locationOf(prefix)}: ${why}`,
    { next: 'Check that the endpoint is an S3 store and speaks ListObjectsV2.', details: { prefix } },
  );
}

/** Names of a kind's blobs. */
export async function* listNames(
  session: S3Session,
  kind: BlobKind,
  options: ListOptions,
): AsyncGenerator<BlobName> {
  const prefix = options.prefix ?? '';
  const start = `${session.address.prefix}${pathPrefixOf(kind, prefix)}`;
  for await (const { key: raw, sizeBytes, modifiedAtMs } of objects(session, start, options.signal)) {
    const key = keyOfPath(raw.slice(session.address.prefix.length));
    if (key?.name.startsWith(prefix) === true) yield { key, sizeBytes, modifiedAtMs };
  }
}

/** Aborts uploads that nobody finishes, and deletes records that no object names. */
export async function sweepS3(session: S3Session, options: SweepOptions): Promise<readonly Leftover[]> {
  const leftovers: Leftover[] = [];
  // The store's clock says when something was begun, ours when the caller looked.
  const seen = options.beganMs === undefined ? Number.POSITIVE_INFINITY : options.beganMs - CLOCK_SKEW_MS;
  const oldest = Math.min(Date.now() - options.minAgeMs, seen);
  const uploading = new Set<string>();
  for await (const { key, uploadId, startedAtMs } of uploads(session, options.signal)) {
    if (startedAtMs > oldest) {
      uploading.add(key);
      continue;
    }
    leftovers.push(
      leftoverOf(session, 'unfinished upload', { key, sizeBytes: 0, modifiedAtMs: startedAtMs }),
    );
    if (options.dryRun === true) continue;
    const command = new AbortMultipartUploadCommand({
      Bucket: session.address.bucket,
      Key: key,
      UploadId: uploadId,
    });
    await session.send('aborting the upload of', { key, signal: options.signal }, () =>
      session.client.send(command, { abortSignal: options.signal }).catch((error: unknown) => {
        if (!isAbsent(error)) throw error;
      }),
    );
  }
  const records = `${session.address.prefix}records/`;
  for await (const record of objects(session, records, options.signal)) {
    throwIfCancelled(options.signal);
    if (record.modifiedAtMs > oldest) continue;
    const path = record.key.slice(records.length);
    const slash = path.lastIndexOf('/');
    const object = `${session.address.prefix}${path.slice(0, slash)}`;
    if (uploading.has(object)) continue;
    if ((await recordIdOf(session, object, options.signal)) === path.slice(slash + 1)) continue;
    leftovers.push(leftoverOf(session, 'unreferenced record', record));
    if (options.dryRun !== true) await deleteObject(session, record.key, options.signal);
  }
  return leftovers;
}

async function recordIdOf(session: S3Session, key: string, signal: AbortSignal): Promise<string | undefined> {
  const command = new HeadObjectCommand({ Bucket: session.address.bucket, Key: key });
  return session.send('looking at', { key, signal }, () =>
    session.client.send(command, { abortSignal: signal }).then(
      ({ Metadata }) => Metadata?.[META.record],
      (error: unknown) => {
        if (isAbsent(error)) return undefined;
        throw error;
      },
    ),
  );
}

/** Unfinished uploads. A store without that listing has none to show. */
async function* uploads(
  session: S3Session,
  signal: AbortSignal,
): AsyncGenerator<{ readonly key: string; readonly uploadId: string; readonly startedAtMs: number }> {
  let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  while (marker !== undefined) {
    const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
      Bucket: session.address.bucket,
      Prefix: session.address.prefix,
      ...marker,
    });
    const page = await session
      .raw('list unfinished uploads', signal, () => session.client.send(command, { abortSignal: signal }))
      .catch((error: unknown) => {
        if (isNotImplemented(error)) return undefined;
        throw session.explain(error, 'listing unfinished uploads', '');
      });
    for (const { Key = '', UploadId = '', Initiated } of page?.Uploads ?? []) {
      yield { key: Key, uploadId: UploadId, startedAtMs: Initiated?.getTime() ?? 0 };
    }
    marker = undefined;
    if (page?.IsTruncated === true && page.NextKeyMarker !== undefined) {
      marker = { KeyMarker: page.NextKeyMarker };
      if (page.NextUploadIdMarker !== undefined) marker.UploadIdMarker = page.NextUploadIdMarker;
    }
  }
}

function leftoverOf(session: S3Session, what: Leftover['what'], object: RawObject): Leftover {
  const { key, sizeBytes, modifiedAtMs } = object;
  return {
    what,
    location: session.locationOf(key),
    sizeBytes,
    ageMs: Math.max(0, Date.now() - modifiedAtMs),
  };
}
