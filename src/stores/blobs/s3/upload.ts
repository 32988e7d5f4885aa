/** Putting one blob: one request for what fits a part, a multipart upload for the rest. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { cancelled } from '../../../words/errors.ts';
import type { BlobKey, PutOptions } from '../port/blob-store.ts';
import { type Digests, digestsOf } from '../port/digests.ts';
import { checkExpected } from '../port/verify.ts';
import { OddAnswer } from './errors.ts';
import { cutToParts, type Part, type PartSource } from './parts.ts';
import {
  deleteObject,
  demandEtag,
  headBlob,
  META,
  newRecordId,
  objectKey,
  putRecord,
  recordKey,
} from './record.ts';
import type { S3Session, Step } from './session.ts';

/** What S3 may take to join the parts of a large object. */
const COMPLETING_MS = 600_000;
/** How long cleaning up after a failed upload may take; who cancelled does not wait for a slow store. */
const CLEANUP_MS = { failed: 10_000, cancelled: 700 } as const;

/** What was uploaded, and by what its object is known. */
export type Uploaded =
  | { readonly digests: Digests; readonly etag: string }
  | { readonly digests: Digests; readonly recordId: string };

/** One upload; {@link S3Upload.run} may be called once. */
export class S3Upload {
  readonly #session: S3Session;
  readonly #key: BlobKey;
  readonly #options: PutOptions;
  readonly #object: { readonly Bucket: string; readonly Key: string };
  readonly #recordId = newRecordId();
  readonly #etags: { PartNumber: number; ETag: string }[] = [];
  #uploadId: Promise<string> | undefined;
  #single: Uint8Array | undefined;
  #recorded = false;

  constructor(session: S3Session, key: BlobKey, options: PutOptions) {
    this.#session = session;
    this.#key = key;
    this.#options = options;
    this.#object = { Bucket: session.address.bucket, Key: objectKey(session, key) };
  }

  /** Uploads what `source` has and publishes it; closes the source in any case. */
  async run(source: PartSource): Promise<Uploaded> {
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
      if (this.#single !== undefined) return { digests, etag: await this.#putOne(this.#single) };
      await this.#complete(digests);
      return { digests, recordId: this.#recordId };
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
    const doing = `storing part ${part.number} of`;
    const ETag = await this.#send(doing, part.bytes.byteLength, async (abortSignal) =>
      demandEtag((await this.#session.client.send(command, { abortSignal })).ETag),
    );
    this.#etags.push({ PartNumber: part.number, ETag });
  }

  #create(): Promise<string> {
    const { storageClass } = this.#session.address;
    const command = new CreateMultipartUploadCommand({
      ...this.#object,
      ...this.#session.writeOptions,
      ...(storageClass === undefined ? {} : { StorageClass: storageClass }),
      ContentType: this.#options.contentType,
      Metadata: { [META.record]: this.#recordId },
    });
    return this.#send('beginning the upload of', 0, async (abortSignal) => {
      const { UploadId } = await this.#session.client.send(command, { abortSignal });
      if (UploadId === undefined)
        throw new OddAnswer('HTTP 200 to the beginning of an upload, without its id');
      return UploadId;
    });
  }

  async #putOne(bytes: Uint8Array): Promise<string> {
    const { sha1, sha256 } = digestsOf(bytes);
    const { storageClass } = this.#session.address;
    const command = new PutObjectCommand({
      ...this.#object,
      ...this.#session.writeOptions,
      ...(storageClass === undefined ? {} : { StorageClass: storageClass }),
      Body: bytes,
      ContentType: this.#options.contentType,
      Metadata: { [META.sha1]: sha1, [META.sha256]: sha256 },
    });
    return await this.#send('storing', bytes.byteLength, async (abortSignal) =>
      demandEtag((await this.#session.client.send(command, { abortSignal })).ETag),
    );
  }

  /** Whether it took effect is shown by the object itself, which the caller looks at. */
  async #complete(digests: Digests): Promise<void> {
    const { contentType, signal } = this.#options;
    const UploadId = await this.#uploadId;
    this.#recorded = true;
    await putRecord(
      this.#session,
      { key: this.#key, id: this.#recordId, signal },
      { ...digests, contentType },
    );
    const Parts = this.#etags.sort((a, b) => a.PartNumber - b.PartNumber);
    const command = new CompleteMultipartUploadCommand({
      ...this.#object,
      UploadId,
      MultipartUpload: { Parts },
    });
    try {
      const sent = { doing: 'storing', key: this.#object.Key, signal, patienceMs: COMPLETING_MS };
      await this.#session.send(sent, async (abortSignal) =>
        demandEtag((await this.#session.client.send(command, { abortSignal })).ETag),
      );
    } catch (error) {
      if ((await this.#isOurs(signal)) !== true) throw error;
    }
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

  #send<T>(doing: string, bytes: number, step: Step<T>): Promise<T> {
    const { signal } = this.#options;
    return this.#session.send({ doing, key: this.#object.Key, signal, bytes }, step);
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
