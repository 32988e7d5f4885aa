/**
 * One object at the root of each store says that it is one, with its address. So a store inside another one is seen
 * before the garbage of the one takes what the other needs, and a wrong prefix is not taken for an empty store.
 */
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { StagerError } from '../../../words/errors.ts';
import { parseJson } from '../../../words/json.ts';
import { keyOfPath } from '../port/key.ts';
import { failureOf, isAbsent, OddAnswer } from './errors.ts';
import { objects } from './list.ts';
import { demandEtag } from './record.ts';
import type { S3Session } from './session.ts';

/** Below the prefix of the store. */
const MARK = '.stager-store';
const MAX_MARK_BYTES = 4096;
const markSchema = z.object({
  format: z.literal('stager-blobstore'),
  version: z.number(),
  address: z.string(),
});

/** Before the first write. @throws StagerError CONFIG_INVALID when the store is inside another one. */
export async function markStore(session: S3Session, signal: AbortSignal): Promise<void> {
  const [mark] = await Promise.all([
    readMark(session, session.address.prefix, signal),
    refuseNested(session, signal),
  ]);
  if (mark === undefined) await writeMark(session, signal);
}

/**
 * Before something is removed since it was not found. A store without a mark that was written by an older stager gets
 * one, when everything there has stager's form.
 *
 * @throws StagerError BLOBSTORE_UNAVAILABLE, CONFIG_INVALID.
 */
export async function checkBucket(
  session: S3Session,
  { signal, dryRun = false }: { readonly signal: AbortSignal; readonly dryRun?: boolean },
): Promise<void> {
  await refuseNested(session, signal);
  if ((await readMark(session, session.address.prefix, signal)) !== undefined) return;
  let found = 0;
  for await (const { key } of objects(session, session.address.prefix, signal)) {
    if (!isOurs(key.slice(session.address.prefix.length))) throw foreign(session, key);
    found++;
  }
  if (found === 0) throw never(session);
  if (!dryRun) await writeMark(session, signal);
}

function isOurs(path: string): boolean {
  if (keyOfPath(path) !== undefined) return true;
  const record = /^records\/(.+)\/[0-9a-f]{24}$/.exec(path)?.[1] ?? '';
  return record === 'probe' || keyOfPath(record) !== undefined;
}

async function writeMark(session: S3Session, signal: AbortSignal): Promise<void> {
  const { bucket, prefix } = session.address;
  const key = `${prefix}${MARK}`;
  const command = new PutObjectCommand({
    Bucket: bucket,
    Key: key,
    Body: `${JSON.stringify({ format: 'stager-blobstore', version: 1, address: `s3://${bucket}/${prefix}` })}\n`,
    ContentType: 'application/json',
    ...session.writeOptions,
  });
  await session.send({ doing: 'storing the mark of the store', key, signal }, async (abortSignal) =>
    demandEtag((await session.client.send(command, { abortSignal })).ETag),
  );
}

/** The address in the mark below a prefix, or undefined where there is none. */
async function readMark(
  session: S3Session,
  prefix: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const key = `${prefix}${MARK}`;
  const command = new GetObjectCommand({
    Bucket: session.address.bucket,
    Key: key,
    Range: `bytes=0-${MAX_MARK_BYTES - 1}`,
  });
  const text = await session.send(
    { doing: 'reading the mark of the store', key, signal },
    async (abortSignal) => {
      try {
        const { Body, ContentRange } = await session.client.send(command, { abortSignal });
        if (ContentRange === undefined) throw new OddAnswer('the range was ignored');
        return (await Body?.transformToString()) ?? '';
      } catch (error) {
        const { status, name } = failureOf(error);
        if (isAbsent(error)) return undefined;
        // Who may use a prefix only can't look above it.
        if (status === 403 && name === 'AccessDenied' && prefix !== session.address.prefix) return undefined;
        throw error;
      }
    },
  );
  if (text === undefined) return undefined;
  const mark = markSchema.safeParse(parseJson(text));
  if (mark.success) return mark.data.address;
  if (prefix !== session.address.prefix) return undefined;
  throw new StagerError('CONFIG_INVALID', `${session.placeOf(key)} is not the mark of a blob store`, {
    next: 'Choose another prefix, or delete that object if it is damaged: the next write creates it again.',
  });
}

async function refuseNested(session: S3Session, signal: AbortSignal): Promise<void> {
  const parts = session.address.prefix.split('/').slice(0, -1);
  const above = parts.map((_, n) =>
    parts
      .slice(0, n)
      .map((part) => `${part}/`)
      .join(''),
  );
  const marks = await Promise.all(above.map((prefix) => readMark(session, prefix, signal)));
  const other = above.find((_, n) => marks[n] !== undefined);
  if (other === undefined) return;
  const url = session.placeOf(session.address.prefix);
  throw new StagerError(
    'CONFIG_INVALID',
    `the blob store ${url} is inside another one, ${session.locationOf(other)}`,
    { next: 'Choose a prefix outside it with --blobstore.' },
  );
}

function foreign(session: S3Session, key: string): StagerError {
  return new StagerError(
    'CONFIG_INVALID',
    `${session.placeOf(session.address.prefix)} has no mark of a blob store, and ${key} in it is not stager's: nothing was removed`,
    { next: 'Correct the address. If it is right, store something there first, which creates the mark.' },
  );
}

function never(session: S3Session): StagerError {
  const place = session.placeOf(session.address.prefix);
  return new StagerError(
    'BLOBSTORE_UNAVAILABLE',
    `there is no blob store at ${place}: nothing was ever stored`,
    {
      next: 'Correct the bucket and prefix in the address. A new store is created when something is stored.',
    },
  );
}
