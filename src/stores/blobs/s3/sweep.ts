/**
 * Finding what writers left in a bucket that did not finish. Only what has stager's own form is looked at: an upload
 * to a key that a blob can have, a record at the place of one and with the content of one.
 */
import {
  AbortMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsOutput,
} from '@aws-sdk/client-s3';
import { CLOCK_SKEW_MS } from '../../../words/clock.ts';
import { isStagerError, throwIfCancelled } from '../../../words/errors.ts';
import type { BlobKey, Leftover, SweepOptions } from '../port/blob-store.ts';
import { keyOfPath } from '../port/key.ts';
import { isAbsent, isDenied, OddAnswer } from './errors.ts';
import { objects, type RawObject } from './list.ts';
import { Pages } from './pages.ts';
import { deleteObject, getRecord, META, objectKey } from './record.ts';
import type { S3Session } from './session.ts';

const DAY_MS = 86_400_000;

/** Aborts uploads that nobody finishes, and deletes records that no object names. */
export async function sweepS3(session: S3Session, options: SweepOptions): Promise<readonly Leftover[]> {
  const leftovers: Leftover[] = [];
  // All by the store's clock, which dated what is there.
  const seen = options.beganMs === undefined ? Number.POSITIVE_INFINITY : options.beganMs - CLOCK_SKEW_MS;
  const oldest = Math.min(session.now() - options.minAgeMs, seen);
  const { signal } = options;
  const { uploading, isKnown } = await sweepUploads(session, { ...options, oldest }, leftovers);
  // Where nobody tells who is uploading, a record may be the first thing of a large upload.
  const oldestRecord = isKnown ? oldest : Math.min(oldest, session.now() - DAY_MS);
  const records = `${session.address.prefix}records/`;
  for await (const record of objects(session, records, signal)) {
    throwIfCancelled(signal);
    const named = blobOfRecord(record.key.slice(records.length));
    if (named === undefined || record.modifiedAtMs > oldestRecord) continue;
    if (named !== 'probe') {
      if (uploading.has(objectKey(session, named.key))) continue;
      if (!(await isRecord(session, record.key, signal))) continue;
      if (await isNeeded(session, named, signal)) continue;
    } else if (record.sizeBytes !== 5) continue;
    leftovers.push(leftoverOf(session, 'unreferenced record', record));
    if (options.dryRun !== true) await deleteObject(session, record.key, signal);
  }
  return leftovers;
}

interface RecordName {
  readonly key: BlobKey;
  readonly id: string;
}

/** What the record below `records/` at this path is of. */
function blobOfRecord(path: string): RecordName | 'probe' | undefined {
  const match = /^(.+)\/([0-9a-f]{24})$/.exec(path);
  if (match?.[1] === 'probe') return 'probe';
  const key = keyOfPath(match?.[1] ?? '');
  return key === undefined ? undefined : { key, id: match?.[2] ?? '' };
}

async function isRecord(session: S3Session, key: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await getRecord(session, key, signal)) !== undefined;
  } catch (error) {
    if (isStagerError(error, 'BLOB_CORRUPT')) return false;
    throw error;
  }
}

/** Whether an object names the record, or may: one that lost its metadata (a bucket that was copied) tells nothing. */
async function isNeeded(session: S3Session, { key, id }: RecordName, signal: AbortSignal): Promise<boolean> {
  const object = objectKey(session, key);
  const command = new HeadObjectCommand({ Bucket: session.address.bucket, Key: object });
  const metadata = await session.send({ doing: 'looking at', key: object, signal }, (abortSignal) =>
    session.client.send(command, { abortSignal }).then(
      ({ Metadata }) => Metadata ?? {},
      (error: unknown) => {
        if (isAbsent(error)) return undefined;
        throw error;
      },
    ),
  );
  // What is listed is there, whatever HEAD says.
  if (metadata === undefined) return await isListed(session, object, signal);
  const named = metadata[META.record];
  return named === id || (named === undefined && metadata[META.sha256] === undefined);
}

async function isListed(session: S3Session, key: string, signal: AbortSignal): Promise<boolean> {
  for await (const object of objects(session, key, signal)) if (object.key === key) return true;
  return false;
}

async function sweepUploads(
  session: S3Session,
  options: SweepOptions & { readonly oldest: number },
  into: Leftover[],
): Promise<{ readonly uploading: ReadonlySet<string>; readonly isKnown: boolean }> {
  const uploading = new Set<string>();
  const { signal } = options;
  const found = uploads(session, signal);
  for (let next = await found.next(); ; next = await found.next()) {
    if (next.done === true) return { uploading, isKnown: next.value };
    const { key, uploadId, startedAtMs } = next.value;
    if (keyOfPath(key.slice(session.address.prefix.length)) === undefined) continue;
    if (startedAtMs > options.oldest) {
      uploading.add(key);
      continue;
    }
    into.push(leftoverOf(session, 'unfinished upload', { key, sizeBytes: 0, modifiedAtMs: startedAtMs }));
    if (options.dryRun === true) continue;
    const upload = { Bucket: session.address.bucket, Key: key, UploadId: uploadId };
    await session.send({ doing: 'aborting the upload of', key, signal }, (abortSignal) =>
      session.client
        .send(new AbortMultipartUploadCommand(upload), { abortSignal })
        .catch((error: unknown) => {
          if (!isAbsent(error)) throw error;
        }),
    );
  }
}

interface Upload {
  readonly key: string;
  readonly uploadId: string;
  readonly startedAtMs: number;
}

/** Unfinished uploads. @returns false when the store does not tell: it has no such listing, or denies it. */
async function* uploads(session: S3Session, signal: AbortSignal): AsyncGenerator<Upload, boolean> {
  const { bucket, prefix } = session.address;
  const pages = new Pages();
  let marker: { KeyMarker?: string; UploadIdMarker?: string } = {};
  let number = 0;
  for (;;) {
    const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...marker });
    const sent = { doing: 'listing unfinished uploads', key: prefix, signal };
    const page = await session.send(sent, async (abortSignal) => {
      try {
        return wholePage(await session.client.send(command, { abortSignal }), prefix);
      } catch (error) {
        if (isDenied(error)) return undefined;
        throw error;
      }
    });
    if (page === undefined) return false;
    for (const { Key = '', UploadId = '', Initiated } of page.Uploads ?? []) {
      // Without an id it would be the object that is deleted.
      if (UploadId === '') continue;
      yield { key: Key, uploadId: UploadId, startedAtMs: Initiated?.getTime() ?? session.now() };
    }
    if (page.IsTruncated !== true) return true;
    const { NextKeyMarker: KeyMarker = '', NextUploadIdMarker: UploadIdMarker } = page;
    // Uploads of one key come in no order, so any counts as new.
    const last = page.Uploads === undefined ? undefined : String(number++).padStart(9, '0');
    const wrong = pages.wrongIn(last, `${KeyMarker} ${UploadIdMarker ?? ''}`);
    if (wrong !== undefined) throw session.explain(new OddAnswer(wrong), sent.doing, prefix);
    marker = UploadIdMarker === undefined ? { KeyMarker } : { KeyMarker, UploadIdMarker };
  }
}

/** A page that is one, of nothing but what was asked for. @throws OddAnswer. */
function wholePage(page: ListMultipartUploadsOutput, prefix: string): ListMultipartUploadsOutput {
  // A web page, of somebody who wants us to sign in, is an answer with nothing in it.
  if (page.IsTruncated === undefined && page.Bucket === undefined) throw new OddAnswer('it is not a listing');
  if (page.IsTruncated === true && page.NextKeyMarker === undefined)
    throw new OddAnswer('it is not a complete listing: it says that there is more, but not where');
  const foreign = page.Uploads?.find(({ Key = '' }) => !Key.startsWith(prefix));
  if (foreign !== undefined)
    throw new OddAnswer(
      `it lists ${foreign.Key}, although only keys that begin with ${prefix} were requested`,
    );
  return page;
}

function leftoverOf(session: S3Session, what: Leftover['what'], object: RawObject): Leftover {
  const { key, sizeBytes, modifiedAtMs } = object;
  const ageMs = Math.max(0, session.now() - modifiedAtMs);
  return { what, location: session.locationOf(key), sizeBytes, ageMs };
}
