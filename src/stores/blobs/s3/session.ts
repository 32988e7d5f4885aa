/** The SDK's client as stager configures it, and how its requests are sent. */
import { HeadBucketCommand, ListObjectsV2Command, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { ProxySettings } from '../../../config/proxy.ts';
import { agentsFor } from '../../../machine/proxy/agents.ts';
import { readCaFile } from '../../../machine/proxy/ca-bundle.ts';
import { StagerError } from '../../../words/errors.ts';
import { type RetryPolicy, withRetry } from '../../../words/retry.ts';
import type { S3Address } from './address.ts';
import { demandUsable } from './credentials.ts';
import { isAbsent, isTransient, retryAfterMs, TooSlow } from './errors.ts';
import { s3Error } from './explain.ts';

/** After this long without an answer from the bucket, an absent key makes us ask whether the bucket is there. */
const BUCKET_SEEN_MS = 30_000;

/** How a store is reached: as stager's own downloads are. */
export interface S3Reach {
  readonly proxy?: ProxySettings;
  /** The operator's own certificate authorities in PEM. */
  readonly extraCas?: () => Promise<readonly string[]>;
}

/** Seven attempts: waits of up to 0.1, 0.2, 0.4, 0.8, 1.6 and 3.2 s between them. */
const DEFAULT_RETRY: RetryPolicy = { attempts: 7, baseMs: 100, capMs: 5_000, deadlineMs: 60_000 };
/** A header's time has whole seconds and travelled a while: what differs less is the same time. */
const SAME_CLOCK_MS = 5_000;
/** Bytes a millisecond that a store has to take or give at least, on top of the times that every request has. */
export const SLOWEST_RATE = 16;

/** One request: what it is for people, and what bounds it. */
export interface RequestFacts {
  /** `storing`, `listing` … */
  readonly doing: string;
  /** Key inside the bucket; empty for the bucket itself. */
  readonly key: string;
  readonly signal: AbortSignal;
  /** Bytes that travel with it. */
  readonly bytes?: number;
  /** What the store may take beyond that, in milliseconds. */
  readonly patienceMs?: number;
}

/** Runs one attempt; its signal fires when the whole is cancelled and when the attempt took too long. */
export type Step<T> = (abortSignal: AbortSignal) => Promise<T>;

/** One S3 store's client, settings and retry rules. */
export class S3Session {
  readonly client: S3Client;
  readonly address: S3Address;
  readonly policy: RetryPolicy;
  readonly endpoint: string;
  #bucketSeenAt = 0;
  #clockOffsetMs = 0;
  /** Whether an answer told the store's time. */
  knowsClock = false;
  #usable: Promise<void> | undefined;

  constructor(client: S3Client, address: S3Address, endpoint: string) {
    this.client = client;
    this.address = address;
    this.endpoint = endpoint;
    this.policy = { ...DEFAULT_RETRY, attempts: address.attempts };
    this.#readClock();
  }

  /** The store's clock, as its last answer told it; this machine's until one came. */
  now(): number {
    return Date.now() + this.#clockOffsetMs;
  }

  /** Options of every request that writes an object. */
  get writeOptions(): { ServerSideEncryption?: 'AES256' | 'aws:kms' | 'aws:kms:dsse'; SSEKMSKeyId?: string } {
    const { sse, kmsKeyId } = this.address;
    return {
      ...(sse === undefined ? {} : { ServerSideEncryption: sse }),
      ...(kmsKeyId === undefined ? {} : { SSEKMSKeyId: kmsKeyId }),
    };
  }

  /** A store key as `s3://bucket/…`. */
  locationOf(key: string): string {
    return `s3://${this.address.bucket}/${key}`;
  }

  /** The same with the endpoint, for messages. */
  placeOf(key: string): string {
    return `${this.locationOf(key)} at ${this.endpoint}`;
  }

  /**
   * Sends with retries. No new attempt begins after the policy's deadline, and no attempt lasts longer than its bytes
   * explain, whatever trickles in. Failures keep the SDK's type, as the cause of a GaveUp, so that the caller can tell
   * expected ones apart.
   */
  async raw<T>(sent: Omit<RequestFacts, 'doing' | 'key'>, step: Step<T>): Promise<T> {
    const { signal } = sent;
    this.#usable ??= demandUsable(this.client);
    await this.#usable;
    const limitMs =
      2 * this.address.requestTimeoutMs + (sent.bytes ?? 0) / SLOWEST_RATE + (sent.patienceMs ?? 0);
    const attempt = (): Promise<T> => bounded(step, { signal, limitMs });
    const result = await withRetry(attempt, { policy: this.policy, signal, isTransient, retryAfterMs });
    this.#bucketSeenAt = Date.now();
    return result;
  }

  /** As {@link raw}, with failures as StagerErrors that name bucket, key, endpoint and tries. */
  async send<T>(sent: RequestFacts, step: Step<T>): Promise<T> {
    try {
      return await this.raw(sent, step);
    } catch (error) {
      throw this.explain(error, sent.doing, sent.key);
    }
  }

  explain(error: unknown, what: string, key: string): unknown {
    const { bucket, requestTimeoutMs } = this.address;
    return s3Error(error, what, { bucket, key, endpoint: this.endpoint, requestTimeoutMs });
  }

  /**
   * An answer to HEAD has no body, so a denial does not say why. A listing's answer does: it throws the reason, or
   * corrects the clock of the client (which makes a second HEAD work), or finds nothing wrong.
   */
  async askWhyDenied(signal: AbortSignal): Promise<void> {
    const { bucket, prefix } = this.address;
    const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 });
    await this.send({ doing: 'listing', key: prefix, signal }, (abortSignal) =>
      this.client.send(command, { abortSignal }),
    );
  }

  /**
   * A HEAD of a key in a bucket that vanished answers 404 like one of an absent key. So that a lost bucket is never
   * taken for an empty one, the bucket itself is asked for when it has not answered lately.
   */
  async confirmBucket(signal: AbortSignal): Promise<void> {
    if (Date.now() - this.#bucketSeenAt < BUCKET_SEEN_MS) return;
    const { bucket } = this.address;
    try {
      await this.raw({ signal }, (abortSignal) =>
        this.client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal }),
      );
    } catch (error) {
      // An answer to HEAD has no body, and some stores say 404 for an unknown access key: a listing tells which it is.
      if (!isAbsent(error)) throw this.explain(error, 'looking for the bucket', '');
      await this.askWhyDenied(signal);
    }
  }

  #readClock(): void {
    this.client.middlewareStack.add(
      (next) => async (args) => {
        const answer = await next(args);
        const date = Date.parse(String(Object(Object(answer.response).headers)['date']));
        const offsetMs = date - Date.now();
        if (Number.isFinite(date)) this.knowsClock = true;
        if (Number.isFinite(date)) this.#clockOffsetMs = Math.abs(offsetMs) > SAME_CLOCK_MS ? offsetMs : 0;
        return answer;
      },
      { step: 'deserialize', name: 'stagerStoreClock', priority: 'low' },
    );
  }
}

/** Runs one attempt, which ends when the whole is cancelled and when it takes too long. @throws TooSlow. */
async function bounded<T>(
  step: Step<T>,
  { signal, limitMs }: { readonly signal: AbortSignal; readonly limitMs: number },
): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    controller.abort();
  }, limitMs);
  try {
    return await step(controller.signal);
  } catch (error) {
    throw isLate && !signal.aborted ? new TooSlow('too slow', { cause: error }) : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** Connects nothing yet; credentials are resolved by the SDK's chain at the first request. */
export async function openS3Session(address: S3Address, reach: S3Reach): Promise<S3Session> {
  const ownCas = address.caFile === undefined ? [] : await readCaFile(address.caFile);
  const agents = agentsFor(
    { proxy: reach.proxy ?? {}, extraCa: [...((await reach.extraCas?.()) ?? []), ...ownCas] },
    // Parts go up in parallel beside small requests; idle sockets are reused.
    { keepAlive: true, maxSockets: address.concurrency * 2 + 16 },
  );
  const config: S3ClientConfig = {
    forcePathStyle: address.pathStyle,
    // The SDK's newer defaults send CRC trailers that many S3-compatible stores refuse. Bytes are protected anyway:
    // requests are signed over the sha256 of their body, and readers check the sha256 of the whole blob.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Ours is the only retry loop: it has the deadline and the message.
    maxAttempts: 1,
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: Math.min(10_000, address.requestTimeoutMs),
      socketTimeout: address.requestTimeoutMs,
      httpAgent: agents.http,
      httpsAgent: agents.https,
    },
    ...(address.endpoint === undefined ? {} : { endpoint: address.endpoint, region: 'us-east-1' }),
    ...(address.region === undefined ? {} : { region: address.region }),
    ...(address.profile === undefined ? {} : { profile: address.profile }),
  };
  const client = new S3Client(config);
  const region = await client.config.region().catch((cause: unknown) => {
    throw new StagerError('CONFIG_INVALID', `no region is set for the bucket ${address.bucket}`, {
      next: 'Add ?region=… to the address, or set AWS_REGION or a profile that has one.',
      cause,
    });
  });
  return new S3Session(client, address, address.endpoint ?? `https://s3.${region}.amazonaws.com`);
}
