/** The SDK's client as stager configures it, and how its requests are sent. */
import { HeadBucketCommand, ListObjectsV2Command, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { agentsFor } from '../../../machine/proxy/agents.ts';
import { readCaFile } from '../../../machine/proxy/ca-bundle.ts';
import type { ProxySettings } from '../../../machine/proxy/settings.ts';
import { StagerError } from '../../../words/errors.ts';
import { DEFAULT_RETRY, type RetryPolicy, withRetry } from '../port/retry.ts';
import type { S3Address } from './address.ts';
import { isAbsent, isTransient } from './errors.ts';
import { s3Error } from './explain.ts';

/** After this long without an answer from the bucket, an absent key makes us ask whether the bucket is there. */
const BUCKET_SEEN_MS = 30_000;

/** How a store is reached: as stager's own downloads are. */
export interface S3Reach {
  readonly proxy?: ProxySettings;
  /** The operator's own certificate authorities in PEM. */
  readonly extraCas?: () => Promise<readonly string[]>;
}

/** One S3 store's client, settings and retry rules. */
export class S3Session {
  readonly client: S3Client;
  readonly address: S3Address;
  readonly policy: RetryPolicy;
  #bucketSeenAt = 0;

  constructor(client: S3Client, address: S3Address) {
    this.client = client;
    this.address = address;
    this.policy = { ...DEFAULT_RETRY, attempts: address.attempts };
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

  /** Sends with retries; failures keep the SDK's type, so that the caller can tell expected ones apart. */
  async raw<T>(what: string, signal: AbortSignal, step: () => Promise<T>): Promise<T> {
    const result = await withRetry(step, { policy: this.policy, signal, what, isTransient });
    this.#bucketSeenAt = Date.now();
    return result;
  }

  /** As {@link raw}, with failures as StagerErrors that name bucket and key. */
  async send<T>(what: string, at: { key: string; signal: AbortSignal }, step: () => Promise<T>): Promise<T> {
    try {
      return await this.raw(`${what} ${this.locationOf(at.key)}`, at.signal, step);
    } catch (error) {
      throw this.explain(error, what, at.key);
    }
  }

  explain(error: unknown, what: string, key: string): unknown {
    const { bucket, endpoint, requestTimeoutMs } = this.address;
    return s3Error(error, what, { bucket, key, endpoint: endpoint ?? '', requestTimeoutMs });
  }

  /**
   * An answer to HEAD has no body, so a denial does not say why. A listing's answer does: it throws the reason, or
   * corrects the clock of the client (which makes a second HEAD work), or finds nothing wrong.
   */
  async askWhyDenied(signal: AbortSignal): Promise<void> {
    const { bucket, prefix } = this.address;
    const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 });
    await this.send('listing', { key: prefix, signal }, () =>
      this.client.send(command, { abortSignal: signal }),
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
      await this.raw(`look for bucket ${bucket}`, signal, () =>
        this.client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: signal }),
      );
    } catch (error) {
      // An answer to HEAD has no body, and some stores say 404 for an unknown access key: a listing tells which it is.
      if (!isAbsent(error)) throw this.explain(error, 'looking for the bucket', '');
      await this.askWhyDenied(signal);
    }
  }
}

/** Connects nothing yet; credentials are resolved by the SDK's chain at the first request. */
export async function openSession(address: S3Address, reach: S3Reach): Promise<S3Session> {
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
  await client.config.region().catch((cause: unknown) => {
    throw new StagerError('CONFIG_INVALID', `no region is set for the bucket ${address.bucket}`, {
      next: 'Add ?region=… to the address, or set AWS_REGION or a profile that has one.',
      cause,
    });
  });
  return new S3Session(client, address);
}
