/** Reading an object to its end although connections drop: each new request continues after the last byte. */
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { cancelled, StagerError } from '../../../words/errors.ts';
import { backoffMs, GaveUp, pause } from '../../../words/retry.ts';
import { corrupt } from '../port/verify.ts';
import { demandUsable } from './credentials.ts';
import { failureOf, isAbsent, isConditionUnmet, isTransient, OddAnswer, retryAfterMs } from './errors.ts';
import { type S3Session, SLOWEST_RATE } from './session.ts';

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

/** So much has to come between two failures, or all that is left, for the second to be a first one. */
const PROGRESS_BYTES = 1 << 20;

/**
 * The bytes asked for. Every request pins the ETag, so that pieces of two versions are never joined; a body that
 * ends early, stalls or breaks is continued, as often as the policy allows without much progress in between. The
 * time that the store took, without that of the reader, is bounded by the policy's deadline and the bytes that came.
 */
export async function* readResuming(
  session: S3Session,
  options: ReadOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { key, end, signal } = options;
  await demandUsable(session.client);
  const reading = new Reading(session, options);
  while (reading.position <= end) {
    try {
      const answer = await reading.timed(() => request(session, { ...options, etag: reading.etag }, reading));
      reading.etag = answer.etag;
      for (;;) {
        const next = await reading.timed(() => answer.body.next());
        if (signal.aborted) throw cancelled(signal);
        if (next.done === true) break;
        reading.took(next.value);
        yield next.value;
      }
      if (reading.position <= end) throw new OddAnswer('its body ended early');
    } catch (error) {
      if (signal.aborted) throw cancelled(signal);
      if (!isDropped(error)) throw failureAt(session, error, { key, reading });
      reading.failed(error);
    } finally {
      reading.endRequest();
    }
    if (reading.position <= end) await reading.pause();
  }
}

/** How far one reading is, and what it may still take. */
class Reading {
  readonly #session: S3Session;
  readonly #options: ReadOptions;
  position: number;
  etag: string;
  #failures = 0;
  #failedAt = -1;
  #last: unknown;
  #storeMs = 0;
  #request = new AbortController();

  constructor(session: S3Session, options: ReadOptions) {
    this.#session = session;
    this.#options = options;
    this.position = options.start;
    this.etag = options.etag;
  }

  /** Of what is being asked for now. */
  get tries(): number {
    return this.#failures + 1;
  }

  get doing(): string {
    return `reading (at byte ${this.position})`;
  }

  /** Of the request that runs. */
  get signal(): AbortSignal {
    return this.#request.signal;
  }

  /** Milliseconds of the store's time in which a new request may begin. */
  get #left(): number {
    const bytes = this.position - this.#options.start;
    return this.#session.policy.deadlineMs + bytes / SLOWEST_RATE - this.#storeMs;
  }

  /** Waits for the store, at most as long as is left. */
  async timed<T>(step: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const abort = (): void => this.#request.abort();
    const timer = setTimeout(abort, Math.max(0, this.#left) + this.#session.address.requestTimeoutMs);
    this.#options.signal.addEventListener('abort', abort, { once: true });
    if (this.#options.signal.aborted) abort();
    try {
      return await step();
    } finally {
      clearTimeout(timer);
      this.#options.signal.removeEventListener('abort', abort);
      this.#storeMs += performance.now() - began;
    }
  }

  took(chunk: Uint8Array): void {
    // A store that ignores the range would send the object's first bytes again.
    if (this.position + chunk.byteLength > this.#options.end + 1)
      throw corrupt(this.#session.placeOf(this.#options.key), 'more bytes than asked for');
    this.position += chunk.byteLength;
  }

  /** Counts a failure. @throws StagerError when it was the last one. */
  failed(error: unknown): void {
    if (this.#failedAt < 0 || this.position - this.#failedAt >= PROGRESS_BYTES) {
      this.#failures = 0;
      this.#failedAt = this.position;
    }
    this.#failures++;
    this.#last = error;
    const { attempts, deadlineMs } = this.#session.policy;
    const isLate = this.#left <= 0 || (retryAfterMs(error) ?? 0) > this.#left;
    if (this.#failures < attempts && !isLate) return;
    const end = new GaveUp(error, this.#failures, isLate ? deadlineMs : undefined);
    throw this.#session.explain(end, this.doing, this.#options.key);
  }

  endRequest(): void {
    this.#request.abort();
    this.#request = new AbortController();
  }

  async pause(): Promise<void> {
    const ms = Math.max(backoffMs(this.#session.policy, this.#failures), retryAfterMs(this.#last) ?? 0);
    await this.timed(() => pause(ms, { signal: this.#options.signal }));
  }
}

async function request(
  session: S3Session,
  { key, etag, end }: ReadOptions,
  reading: Reading,
): Promise<{ readonly body: AsyncIterator<Uint8Array>; readonly etag: string }> {
  // A weak ETag never equals another one in a condition (RFC 9110): the answer's is compared instead.
  const isStrong = etag !== '' && !etag.startsWith('W/');
  const { position, signal } = reading;
  const command = new GetObjectCommand({
    Bucket: session.address.bucket,
    Key: key,
    Range: `bytes=${position}-${end}`,
    ...(isStrong ? { IfMatch: etag } : {}),
  });
  const { Body, ContentRange, ETag = '' } = await session.client.send(command, { abortSignal: signal });
  if (ContentRange?.startsWith(`bytes ${position}-`) !== true)
    throw new OddAnswer(`the range ${position}-${end} was ignored`);
  if (etag !== '' && ETag !== '' && bare(ETag) !== bare(etag))
    throw replaced(session, key, { reading, why: `its ETag is ${ETag}, not ${etag}` });
  const body = Body !== undefined && Symbol.asyncIterator in Body ? Body : empty();
  return { body: body[Symbol.asyncIterator](), etag: etag === '' ? ETag : etag };
}

const bare = (etag: string): string => etag.replace(/^W\//, '');

async function* empty(): AsyncGenerator<Uint8Array, void, void> {}

/** A connection that ended in the middle of a body: Node reports it with these codes or names. */
function isDropped(error: unknown): boolean {
  if (error instanceof StagerError) return false;
  if (isTransient(error)) return true;
  const { errno, name } = failureOf(error);
  return errno.startsWith('ERR_STREAM') || name === 'TimeoutError' || name === 'AbortError';
}

function failureAt(
  session: S3Session,
  error: unknown,
  { key, reading }: { readonly key: string; readonly reading: Reading },
): unknown {
  if (!isAbsent(error) && !isConditionUnmet(error))
    return session.explain(new GaveUp(error, reading.tries), reading.doing, key);
  const { name, status } = failureOf(error);
  return replaced(session, key, { reading, why: `${name}, HTTP ${status}`, cause: error });
}

function replaced(
  session: S3Session,
  key: string,
  { reading, why, cause }: { readonly reading: Reading; readonly why: string; readonly cause?: unknown },
): StagerError {
  const tried = reading.tries === 1 ? 'tried once' : `tried ${reading.tries} times`;
  return new StagerError(
    'BLOB_NOT_FOUND',
    `${session.placeOf(key)} was replaced or deleted while it was read (${reading.doing}: ${why}; ${tried})`,
    { next: 'Read it again.', cause },
  );
}
