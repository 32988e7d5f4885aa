/** Tries what a store needs of its bucket: to put, get and delete an object. */
import { GetObjectCommand, HeadBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { isStagerError } from '../../../words/errors.ts';
import type { ProbeReport } from '../port/blob-store.ts';
import { deleteObject, demandEtag, newRecordId } from './record.ts';
import type { S3Session } from './session.ts';

/** The object is outside every kind, where a sweep finds it. Refusals are in the report. */
export async function probeBucket(session: S3Session, signal: AbortSignal): Promise<ProbeReport> {
  const { client, address, writeOptions } = session;
  const [Bucket, Key] = [address.bucket, `${address.prefix}records/probe/${newRecordId()}`];
  const look = new HeadBucketCommand({ Bucket });
  const put = new PutObjectCommand({ Bucket, Key, Body: 'probe', ...writeOptions });
  const get = new GetObjectCommand({ Bucket, Key });
  const refusalOf = async (work: () => Promise<unknown>): Promise<string | undefined> => {
    try {
      await work();
      return undefined;
    } catch (error) {
      if (!isStagerError(error)) throw error;
      return error.message;
    }
  };
  const gone = await refusalOf(() =>
    session.send({ doing: 'looking for the bucket', key: '', signal }, (abortSignal) =>
      client.send(look, { abortSignal }),
    ),
  );
  if (gone !== undefined) return { readable: false, writable: false, notes: [gone] };
  const unwritten = await refusalOf(() =>
    session.send({ doing: 'storing', key: Key, signal }, async (abortSignal) =>
      demandEtag((await client.send(put, { abortSignal })).ETag),
    ),
  );
  if (unwritten !== undefined) return { readable: true, writable: false, notes: [unwritten] };
  const unread = await refusalOf(() =>
    session.send({ doing: 'reading', key: Key, signal }, async (abortSignal) => {
      const { Body } = await client.send(get, { abortSignal });
      await Body?.transformToByteArray();
    }),
  );
  const undeleted = await refusalOf(() => deleteObject(session, Key, signal));
  return {
    readable: unread === undefined,
    writable: undeleted === undefined,
    notes: [unread, undeleted].flatMap((refusal) => refusal ?? []),
  };
}
