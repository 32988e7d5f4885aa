/** Reading an object to its end although connections drop: each new request continues after the last byte. */
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { cancelled, StagerError } from '../../../words/errors.ts';
import { backoffMs, pause } from '../port/retry.ts';
import { corrupt } from '../port/verify.ts';
import { failureOf, isAbsent, isConditionUnmet, isTransient } from './errors.ts';
import type { S3Session } from './session.ts';

/** What to read: bytes `start` to `end`, both inclusive. */
export interface ReadOptions {
  /** Key inside the bucket. */
  readonly key: string;
  /** The version to read; empty for the one that the first answer names. */
  readonly etag: string;
  readonly start: number;
  readonly end: number;
  readonly signal: AbortSignal;
}

/**
 * The bytes asked for. Every request pins the ETag, so that pieces of two versions are never joined; a body that
 * ends early, stalls or breaks is continued, as often as the policy allows without progress in between.
 */
export async function* readResuming(
  session: S3Session,
  options: ReadOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { key, end, signal } = options;
  let { etag } = options;
  let position = options.start;
  let failures = 0;
  while (position <= end) {
    try {
      const answer = await request(session, { ...options, etag }, position);
      etag = answer.etag;
      for await (const chunk of answer.body) {
        if (signal.aborted) throw cancelled(signal);
        // A store that ignores the range would send the object's first bytes again.
        if (position + chunk.byteLength > end + 1)
          throw corrupt(session.locationOf(key), 'more bytes than asked for');
        position += chunk.byteLength;
        failures = 0;
        yield chunk;
      }
      if (position <= end) failures++;
    } catch (error) {
      if (signal.aborted) throw cancelled(signal);
      if (!isDropped(error)) throw failureAt(session, error, key);
      failures++;
      if (failures >= session.policy.attempts)
        throw session.explain(error, `reading (at byte ${position})`, key);
    }
    if (failures >= session.policy.attempts) throw endless(session, { key, position, failures });
    if (failures > 0) await pause(backoffMs(session.policy, failures), signal);
  }
}

async function request(
  session: S3Session,
  { key, etag, end, signal }: ReadOptions,
  position: number,
): Promise<{ readonly body: AsyncIterable<Uint8Array>; readonly etag: string }> {
  const command = new GetObjectCommand({
    Bucket: session.address.bucket,
    Key: key,
    Range: `bytes=${position}-${end}`,
    ...(etag === '' ? {} : { IfMatch: etag }),
  });
  const { Body, ContentRange, ETag } = await session.client.send(command, { abortSignal: signal });
  if (ContentRange?.startsWith(`bytes ${position}-`) !== true) {
    throw new StagerError(
      'BLOBSTORE_UNAVAILABLE',
      `the store ignored a range request for ${session.locationOf(key)}`,
      {
        next: 'Use a store that serves ranges.',
        details: { position, contentRange: ContentRange },
      },
    );
  }
  const body = Body !== undefined && Symbol.asyncIterator in Body ? Body : empty();
  return { body, etag: ETag ?? etag };
}

async function* empty(): AsyncGenerator<Uint8Array, void, void> {}

/** A connection that ended in the middle of a body: Node reports it with these codes or names. */
function isDropped(error: unknown): boolean {
  if (isTransient(error)) return true;
  const { errno, name } = failureOf(error);
  return (
    errno.startsWith('ERR_STREAM') || errno === 'ERR_HTTP_INVALID_STATUS_CODE' || name === 'TimeoutError'
  );
}

function failureAt(session: S3Session, error: unknown, key: string): unknown {
  if (isAbsent(error) || isConditionUnmet(error)) {
    return new StagerError(
      'BLOB_NOT_FOUND',
      `${session.locationOf(key)} was replaced or deleted while it was read`,
      {
        next: 'Read it again.',
        cause: error,
      },
    );
  }
  return session.explain(error, 'reading', key);
}

function endless(
  session: S3Session,
  { key, position, failures }: { key: string; position: number; failures: number },
): StagerError {
  return new StagerError(
    'BLOBSTORE_UNAVAILABLE',
    `reading ${session.locationOf(key)} broke off ${failures} times in a row at byte ${position}`,
    { next: 'Check the network and the store, then try again.', details: { key, position } },
  );
}
