/** Putting one blob: one request for what fits a part, a multipart upload for the rest. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { cancelled, StagerError } from '../../../words/errors.ts';
import type { BlobKey, PutOptions } from '../port/blob-store.ts';
import { type Digests, digestsOf } from '../port/digests.ts';
import { checkExpected } from '../port/verify.ts';
import { isConditionUnmet, isNotImplemented } from './errors.ts';
import { cutToParts, type Part, type PartSource } from './parts.ts';
import { deleteObject, headBlob, META, newRecordId, objectKey, putRecord, recordKey } from './record.ts';
import type { S3Session } from './session.ts';

/** How long cleaning up after a failed upload may take; who cancelled does not wait for a slow store. */
const CLEANUP_MS = { failed: 10_000, cancelled: 700 } as const;

/** One upload; {@link S3Upload.run} may be called once. */
export class S3Upload {
  readonly #session: S3Session;
  readonly #key: BlobKey;
  readonly #options: PutOptions;
  readonly #object: { readonly Bucket: string; readonly Key: string };
  readonly #recordId = newRecordId();
  readonly #etags: { PartNumber: number; ETag: string | undefined }[] = [];
  #uploadId: Promise<string> | undefined;
  #single: Uint8Array | undefined;
  #recorded = false;

  constructor(session: S3Session, key: BlobKey, options: PutOptions) {
    this.#session = session;
    this.#key = key;
    this.#options = options;
    this.#object = { Bucket: session.address.bucket, Key: objectKey(session, key) };
  }

  /**
   * Uploads what `source` has and publishes it; closes the source in any case.
   *
   * @returns the digests, and false for `published` when `ifAbsent` was asked for and the key exists.
   */
  async run(source: PartSource): Promise<{ readonly digests: Digests; readonly published: boolean }> {
    const { signal } = this.#options;
    const { partSizeBytes, concurrency } = this.#session.address;
    try {
      if (signal.aborted) throw cancelled(signal);
      const digests = await cutToParts(source, {
        partBytes: partSizeBytes,
        concurrency,
        signal,
        upload: (part) => this.#part(part),
      });
      checkExpected(digests, this.#options, this.#session.locationOf(this.#object.Key));
      const published =
        this.#single === undefined ? await this.#complete(digests) : await this.#putOne(this.#single);
      return { digests, published };
    } catch (error) {
      await this.#abandon();
      throw signal.aborted ? cancelled(signal) : error;
    } finally {
      await source.close();
    }
  }

  async #part(part: Part): Promise<void> {
    if (part.isLast && part.number === 1) {
      this.#single = part.bytes;
      return;
    }
    this.#uploadId ??= this.#create();
    const command = new UploadPartCommand({
      ...this.#object,
      UploadId: await this.#uploadId,
      PartNumber: part.number,
      Body: part.bytes,
    });
    const { ETag } = await this.#send(`storing part ${part.number} of`, (abortSignal) =>
      this.#session.client.send(command, { abortSignal }),
    );
    this.#etags.push({ PartNumber: part.number, ETag });
  }

  async #create(): Promise<string> {
    const { storageClass } = this.#session.address;
    const command = new CreateMultipartUploadCommand({
      ...this.#object,
      ...this.#session.writeOptions,
      ...(storageClass === undefined ? {} : { StorageClass: storageClass }),
      ContentType: this.#options.contentType,
      Metadata: { [META.record]: this.#recordId },
    });
    const { UploadId } = await this.#send('beginning the upload of', (abortSignal) =>
      this.#session.client.send(command, { abortSignal }),
    );
    if (UploadId !== undefined) return UploadId;
    throw new StagerError('BLOBSTORE_UNAVAILABLE', 'the store began an upload without naming it', {
      next: 'Check that the endpoint is an S3 store.',
      details: { bucket: this.#object.Bucket, key: this.#object.Key },
    });
  }

  async #putOne(bytes: Uint8Array): Promise<boolean> {
    const { sha1, sha256 } = digestsOf(bytes);
    const { storageClass } = this.#session.address;
    return this.#conditionally((condition) => {
      const command = new PutObjectCommand({
        ...this.#object,
        ...this.#session.writeOptions,
        ...(storageClass === undefined ? {} : { StorageClass: storageClass }),
        ...condition,
        Body: bytes,
        ContentType: this.#options.contentType,
        Metadata: { [META.sha1]: sha1, [META.sha256]: sha256 },
      });
      return (abortSignal) => this.#session.client.send(command, { abortSignal });
    });
  }

  async #complete(digests: Digests): Promise<boolean> {
    const { contentType, signal } = this.#options;
    const UploadId = await this.#uploadId;
    this.#recorded = true;
    await putRecord(
      this.#session,
      { key: this.#key, id: this.#recordId, signal },
      { ...digests, contentType },
    );
    const Parts = this.#etags.sort((a, b) => a.PartNumber - b.PartNumber);
    const complete = (condition: { IfNoneMatch?: string }) => {
      const command = new CompleteMultipartUploadCommand({
        ...this.#object,
        ...condition,
        UploadId,
        MultipartUpload: { Parts },
      });
      return (abortSignal: AbortSignal) => this.#session.client.send(command, { abortSignal });
    };
    try {
      if (await this.#conditionally(complete)) return true;
    } catch (error) {
      if ((await this.#isOurs(signal)) !== true) throw error;
    }
    if ((await this.#isOurs(signal)) === true) return true;
    await this.#abandon();
    return false;
  }

  /**
   * Whether the object under the key is this upload's. A completing request can succeed while its answer is lost; the
   * next attempt is then told that there is no such upload, or that the key exists.
   *
   * @returns undefined when the store can't be asked.
   */
  async #isOurs(signal: AbortSignal): Promise<boolean | undefined> {
    try {
      return (await headBlob(this.#session, this.#key, signal))?.recordId === this.#recordId;
    } catch {
      return undefined;
    }
  }

  /**
   * Sends a publishing request, with If-None-Match where the key must be absent; a store that does not know the
   * condition gets the request without it (two writers of one write-once key then store equal content twice).
   */
  async #conditionally(
    build: (condition: { IfNoneMatch?: string }) => (abortSignal: AbortSignal) => Promise<unknown>,
  ): Promise<boolean> {
    if (this.#options.ifAbsent !== true) {
      await this.#send('storing', build({}));
      return true;
    }
    try {
      const request = build({ IfNoneMatch: '*' });
      await this.#session.raw(
        `store ${this.#session.locationOf(this.#object.Key)}`,
        this.#options.signal,
        () => request(this.#options.signal),
      );
      return true;
    } catch (error) {
      if (isConditionUnmet(error)) return false;
      if (!isNotImplemented(error)) throw this.#session.explain(error, 'storing', this.#object.Key);
      await this.#send('storing', build({}));
      return true;
    }
  }

  #send<T>(what: string, request: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#options;
    return this.#session.send(what, { key: this.#object.Key, signal }, () => request(signal));
  }

  /**
   * Removes parts and record. The record stays when the object under the key may be ours after all. What can't be
   * removed now is found by the sweep.
   */
  async #abandon(): Promise<void> {
    const signal = AbortSignal.timeout(CLEANUP_MS[this.#options.signal.aborted ? 'cancelled' : 'failed']);
    const UploadId = await this.#uploadId?.catch(() => undefined);
    if (UploadId !== undefined) {
      const command = new AbortMultipartUploadCommand({ ...this.#object, UploadId });
      await this.#session.client.send(command, { abortSignal: signal }).catch(() => undefined);
    }
    if (!this.#recorded || (await this.#isOurs(signal)) !== false) return;
    const key = recordKey(this.#session, this.#key, this.#recordId);
    await deleteObject(this.#session, key, signal).catch(() => undefined);
  }
}
