/**
 * How an S3 object carries digests that are known only when its last byte has passed.
 *
 * An object of one part is put when it is complete, with its digests as metadata. A multipart object's metadata must
 * be given when the upload *begins*; so it gets a random record id, and just before the upload is completed the
 * digests are put under `records/<key>/<id>`. Completing is atomic: whoever sees the object sees an id whose record
 * is there and belongs to those very bytes, also when a key is replaced. A crash leaves a record that no object
 * names, or an unfinished upload; both are swept.
 */
import { randomBytes } from 'node:crypto';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { z } from 'zod';
import { parseSha1, parseSha256 } from '../../../words/ids.ts';
import { parseJson } from '../../../words/json.ts';
import type { BlobInfo, BlobKey } from '../port/blob-store.ts';
import type { Digests } from '../port/digests.ts';
import { pathOf } from '../port/key.ts';
import { corrupt } from '../port/verify.ts';
import { failureOf, isAbsent, OddAnswer } from './errors.ts';
import type { S3Session } from './session.ts';

/** Our object metadata (`x-amz-meta-…`). */
export const META = { sha1: 'stager-sha1', sha256: 'stager-sha256', record: 'stager-record' } as const;

const RACES = 10;
const MAX_RECORD_BYTES = 4096;
const recordSchema = z.strictObject({
  version: z.literal(1),
  sha1: z.string(),
  sha256: z.string(),
  sizeBytes: z.number().int().min(0),
  contentType: z.string(),
});

/** A blob as the store has it: with the ETag that pins one version for ranged reads. */
export interface S3Blob {
  readonly info: BlobInfo;
  readonly etag: string;
  readonly recordId: string | undefined;
}

/** A new record id. */
export const newRecordId = (): string => randomBytes(12).toString('hex');

/** Object key of a blob. */
export const objectKey = (session: S3Session, key: BlobKey): string =>
  `${session.address.prefix}${pathOf(key)}`;

/** Object key of a record. */
export function recordKey(session: S3Session, key: BlobKey, id: string): string {
  return `${session.address.prefix}records/${pathOf(key)}/${id}`;
}

/** Puts the record of an upload that is about to be completed. */
export async function putRecord(
  session: S3Session,
  at: { readonly key: BlobKey; readonly id: string; readonly signal: AbortSignal },
  record: Digests & { readonly contentType: string },
): Promise<void> {
  const { sha1, sha256, sizeBytes, contentType } = record;
  const key = recordKey(session, at.key, at.id);
  const command = new PutObjectCommand({
    Bucket: session.address.bucket,
    Key: key,
    Body: JSON.stringify({ version: 1, sha1, sha256, sizeBytes, contentType }),
    ContentType: 'application/json',
    ...session.writeOptions,
  });
  await session.send({ doing: 'storing the record of', key, signal: at.signal }, async (abortSignal) =>
    demandEtag((await session.client.send(command, { abortSignal })).ETag),
  );
}

/** What a store that took something answers with. @throws OddAnswer: somebody else said 200. */
export function demandEtag(etag: string | undefined): string {
  if (etag !== undefined && etag !== '') return etag;
  throw new OddAnswer('HTTP 200 to a write, without an ETag');
}

/** Deletes a record, or any other of our objects; an absent one is fine. */
export async function deleteObject(session: S3Session, key: string, signal: AbortSignal): Promise<void> {
  const object = { Bucket: session.address.bucket, Key: key };
  await session.send({ doing: 'deleting', key, signal }, async (abortSignal) => {
    const status = await session.client.send(new DeleteObjectCommand(object), { abortSignal }).then(
      ({ $metadata }) => $metadata.httpStatusCode,
      (error: unknown) => {
        if (isAbsent(error)) return 404;
        throw error;
      },
    );
    if (status === 204) return;
    // Some stores say 200 or 404 as well, and so does a page that wants a login.
    const isThere = await session.client.send(new HeadObjectCommand(object), { abortSignal }).then(
      () => true,
      (error: unknown) => {
        if (isAbsent(error)) return false;
        throw error;
      },
    );
    if (isThere) throw new OddAnswer(`HTTP ${status} to a deletion, and the object is still there`);
  });
}

/** Looks a blob up. An object that does not carry our metadata is not ours: undefined. */
export async function headBlob(
  session: S3Session,
  key: BlobKey,
  signal: AbortSignal,
): Promise<S3Blob | undefined> {
  let missing: string | undefined;
  for (let race = 0; race < RACES; race++) {
    const head = await headObject(session, objectKey(session, key), signal);
    if (head === undefined) return undefined;
    const metadata = head.Metadata ?? {};
    const common = {
      sizeBytes: head.sizeBytes,
      // Unknown is young: nothing is removed for an age that nobody told.
      modifiedAtMs: head.LastModified?.getTime() ?? session.now(),
      contentType: head.ContentType ?? 'application/octet-stream',
    };
    const recordId = metadata[META.record];
    const sha1 = parseSha1(metadata[META.sha1] ?? '');
    const sha256 = parseSha256(metadata[META.sha256] ?? '');
    const etag = head.ETag ?? '';
    if (sha1 !== undefined && sha256 !== undefined) {
      return { info: { key, sha1, sha256, ...common }, etag, recordId: undefined };
    }
    if (recordId === undefined || !/^[0-9a-f]{24}$/.test(recordId)) return undefined;
    const record = await getRecord(session, recordKey(session, key, recordId), signal);
    if (record === undefined) {
      // The key was replaced or deleted since the HEAD, unless the object still names that record.
      if (missing === recordId) throw corrupt(session.placeOf(objectKey(session, key)), 'its record is gone');
      missing = recordId;
      continue;
    }
    if (record.sizeBytes !== common.sizeBytes) {
      throw corrupt(session.placeOf(objectKey(session, key)), 'its length is not the recorded one', {
        limit: record.sizeBytes,
        actual: common.sizeBytes,
      });
    }
    return { info: { key, ...common, sha1: record.sha1, sha256: record.sha256 }, etag, recordId };
  }
  return undefined;
}

async function headObject(session: S3Session, key: string, signal: AbortSignal) {
  const command = new HeadObjectCommand({ Bucket: session.address.bucket, Key: key });
  const send = () =>
    session.raw({ signal }, async (abortSignal) => {
      const head = await session.client.send(command, { abortSignal });
      if (head.ContentLength === undefined) throw new OddAnswer('HTTP 200 to HEAD, without a length');
      return { ...head, sizeBytes: head.ContentLength };
    });
  try {
    return await send().catch(async (error: unknown) => {
      if (failureOf(error).status !== 403) throw error;
      await session.askWhyDenied(signal);
      return send();
    });
  } catch (error) {
    if (!isAbsent(error)) throw session.explain(error, 'looking at', key);
    await session.confirmBucket(signal);
    return undefined;
  }
}

/** Reads a record; undefined when it is not there. @throws StagerError BLOB_CORRUPT when it is something else. */
export async function getRecord(session: S3Session, key: string, signal: AbortSignal) {
  const command = new GetObjectCommand({
    Bucket: session.address.bucket,
    Key: key,
    Range: `bytes=0-${MAX_RECORD_BYTES - 1}`,
  });
  let text: string;
  try {
    text = await session.raw({ signal }, async (abortSignal) => {
      const { Body } = await session.client.send(command, { abortSignal });
      return (await Body?.transformToString()) ?? '';
    });
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw session.explain(error, 'reading the record', key);
  }
  const parsed = recordSchema.safeParse(parseJson(text));
  const sha1 = parseSha1(parsed.data?.sha1 ?? '');
  const sha256 = parseSha256(parsed.data?.sha256 ?? '');
  if (!parsed.success || sha1 === undefined || sha256 === undefined) {
    throw corrupt(session.placeOf(key), 'it is not a record of version 1');
  }
  return { sizeBytes: parsed.data.sizeBytes, sha1, sha256 };
}
