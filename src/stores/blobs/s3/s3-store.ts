/** The S3 adapter of the blob store. s3-record.ts says how an object carries its digests and why. */
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { isStagerError, StagerError } from '../../../words/errors.ts';
import { backoffMs, pause } from '../../../words/retry.ts';
import type {
  BlobInfo,
  BlobKey,
  BlobKind,
  BlobName,
  BlobStore,
  GetOptions,
  Leftover,
  ListOptions,
  Presigner,
  ProbeReport,
  PutFileOptions,
  PutOptions,
  ReadRangeOptions,
  SweepOptions,
  WholeOptions,
} from '../port/blob-store.ts';
import { checkKey } from '../port/key.ts';
import { verifiedChunks } from '../port/verify.ts';
import { parseS3Address } from './address.ts';
import { listNames } from './list.ts';
import { checkBucket, markStore } from './marker.ts';
import { fileSource, type PartSource, streamSource } from './parts.ts';
import { presignerOf } from './presign.ts';
import { probeBucket } from './probe.ts';
import { readResuming } from './read.ts';
import { deleteObject, headBlob, objectKey, recordKey, type S3Blob } from './record.ts';
import { openS3Session, type S3Reach, type S3Session } from './session.ts';
import { sweepS3 } from './sweep.ts';
import { S3Upload, type Uploaded } from './upload.ts';

/** HEAD requests of a listing that run at once. */
const HEADS = 16;
/** How often what was just stored is looked for; some stores show it a moment later. */
const LOOKS = 4;

/** Opens a store at `s3://bucket/prefix?…`. Sends nothing. @throws StagerError CONFIG_INVALID. */
export async function openS3BlobStore(address: string, reach: S3Reach): Promise<BlobStore> {
  return new S3BlobStore(await openS3Session(parseS3Address(address), reach));
}

/** A blob store in a bucket. */
export class S3BlobStore implements BlobStore {
  readonly url: string;
  readonly presign: Presigner;
  readonly #session: S3Session;
  #marked: Promise<void> | undefined;

  constructor(session: S3Session) {
    this.#session = session;
    this.url = session.address.url;
    this.presign = presignerOf(session);
  }

  location(key: BlobKey): string {
    checkKey(key);
    return this.#session.locationOf(objectKey(this.#session, key));
  }

  async put(key: BlobKey, body: Readable, options: PutOptions): Promise<BlobInfo> {
    checkKey(key);
    return this.#put(key, streamSource(body, options.signal), options);
  }

  async putFile(key: BlobKey, path: string, options: PutFileOptions): Promise<BlobInfo> {
    checkKey(key);
    return this.#put(key, fileSource(await open(path, 'r')), options);
  }

  async #put(key: BlobKey, source: PartSource, options: PutOptions): Promise<BlobInfo> {
    await this.#markOnce(options.signal).catch(async (error: unknown) => {
      await source.close();
      throw error;
    });
    // The record of the blob that is being replaced is removed once the new one is there.
    const before = await headBlob(this.#session, key, options.signal).catch(async (error: unknown) => {
      if (isStagerError(error, 'BLOB_CORRUPT')) return undefined;
      await source.close();
      throw error;
    });
    const uploaded = await new S3Upload(this.#session, key, options).run(source);
    const after = await this.#seen(key, { uploaded, before, signal: options.signal });
    if (before?.recordId !== undefined && before.recordId !== after.recordId) {
      const stale = recordKey(this.#session, key, before.recordId);
      await deleteObject(this.#session, stale, options.signal).catch(() => undefined);
    }
    return after.info;
  }

  /**
   * The blob as the store shows it after it was stored. What another writer put there since is as good; what was there
   * before is not.
   *
   * @throws StagerError BLOBSTORE_UNAVAILABLE when the store said that it has what it has not.
   */
  async #seen(
    key: BlobKey,
    put: {
      readonly uploaded: Uploaded;
      readonly before: S3Blob | undefined;
      readonly signal: AbortSignal;
    },
  ): Promise<S3Blob> {
    let found = '';
    for (let look = 1; look <= LOOKS; look++) {
      const after = await headBlob(this.#session, key, put.signal).catch((error: unknown) => {
        if (!isStagerError(error, 'BLOB_CORRUPT')) throw error;
        found = error.message;
        return undefined;
      });
      if (after !== undefined) {
        const { sizeBytes, sha1, sha256 } = after.info;
        const { digests } = put.uploaded;
        const isSame = sha256 === digests.sha256;
        if (isSame && sha1 === digests.sha1 && sizeBytes === digests.sizeBytes) return after;
        const isOther = put.before === undefined || put.before.etag !== after.etag;
        if (isOther && !isSame && !isOurs(after, put.uploaded)) return after;
        found = `what it shows has ${sizeBytes} bytes and sha256 ${sha256}`;
      } else if (found === '') found = 'HEAD finds no object of stager there';
      if (look < LOOKS) await pause(backoffMs(this.#session.policy, look), { signal: put.signal });
    }
    throw new StagerError(
      'BLOBSTORE_UNAVAILABLE',
      `storing ${this.#session.placeOf(objectKey(this.#session, key))} failed: the store answered that it was done, and ${found} (looked ${LOOKS} times)`,
      { next: 'Check the store itself and whatever is between stager and the store; then try again.' },
    );
  }

  async get(
    key: BlobKey,
    { signal, range }: GetOptions,
  ): Promise<{ readonly info: BlobInfo; readonly body: Readable }> {
    const { info, etag } = await this.#find(key, signal);
    const last = info.sizeBytes - 1;
    const start = range?.start ?? 0;
    const end = Math.min(range?.end ?? last, last);
    const raw = readResuming(this.#session, {
      key: objectKey(this.#session, key),
      etag,
      start,
      end,
      signal,
    });
    const chunks = range === undefined ? verifiedChunks(raw, info, this.location(key)) : raw;
    return { info, body: Readable.from(chunks, { objectMode: false }) };
  }

  readRange(key: BlobKey, { signal, start, end }: ReadRangeOptions): Readable {
    checkKey(key);
    const chunks = readResuming(this.#session, {
      key: objectKey(this.#session, key),
      etag: '',
      start,
      end,
      signal,
    });
    return Readable.from(chunks, { objectMode: false });
  }

  async stat(key: BlobKey, { signal }: { readonly signal: AbortSignal }): Promise<BlobInfo | undefined> {
    checkKey(key);
    return (await headBlob(this.#session, key, signal))?.info;
  }

  async delete(key: BlobKey, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    checkKey(key);
    const blob = await headBlob(this.#session, key, signal).catch((error: unknown) => {
      // A damaged blob must be deletable.
      if (isStagerError(error, 'BLOB_CORRUPT')) return undefined;
      throw error;
    });
    await deleteObject(this.#session, objectKey(this.#session, key), signal);
    if (blob?.recordId === undefined) return;
    await deleteObject(this.#session, recordKey(this.#session, key, blob.recordId), signal);
  }

  async *list(kind: BlobKind, options: ListOptions): AsyncIterable<BlobInfo> {
    const ahead: Promise<BlobInfo | undefined>[] = [];
    try {
      for await (const { key } of this.names(kind, options)) {
        const found = this.stat(key, options);
        // Taken when its turn comes; until then a failure must not end the process.
        found.catch(() => undefined);
        ahead.push(found);
        if (ahead.length < HEADS) continue;
        const info = await ahead.shift();
        if (info !== undefined) yield info;
      }
      for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) {
        const info = await next;
        if (info !== undefined) yield info;
      }
    } finally {
      await Promise.allSettled(ahead);
    }
  }

  names(kind: BlobKind, options: ListOptions): AsyncIterable<BlobName> {
    return listNames(this.#session, kind, options);
  }

  sweep(options: SweepOptions): Promise<readonly Leftover[]> {
    return sweepS3(this.#session, options);
  }

  demandWhole(options: WholeOptions): Promise<void> {
    return checkBucket(this.#session, options);
  }

  async now({ signal }: { readonly signal: AbortSignal }): Promise<number> {
    if (!this.#session.knowsClock) await this.#session.askWhyDenied(signal);
    return this.#session.now();
  }

  async #markOnce(signal: AbortSignal): Promise<void> {
    const marked = this.#marked ?? markStore(this.#session, signal);
    this.#marked = marked;
    // The next write tries again.
    marked.catch(() => {
      this.#marked = undefined;
    });
    await marked;
  }

  async probe({ signal }: { readonly signal: AbortSignal }): Promise<ProbeReport> {
    return await probeBucket(this.#session, signal);
  }

  async #find(key: BlobKey, signal: AbortSignal): Promise<S3Blob> {
    const location = this.location(key);
    const blob = await headBlob(this.#session, key, signal);
    if (blob !== undefined) return blob;
    const place = this.#session.placeOf(objectKey(this.#session, key));
    throw new StagerError('BLOB_NOT_FOUND', `there is no blob ${place}`, {
      next: 'List the blobs with `stager blobs ls`.',
      details: { location },
    });
  }
}

/** Whether an object is the one that was uploaded, whatever its metadata say: then they have to say what was sent. */
function isOurs({ etag, recordId }: S3Blob, uploaded: Uploaded): boolean {
  if ('recordId' in uploaded) return recordId === uploaded.recordId;
  return recordId === undefined && etag.replace(/^W\//, '') === uploaded.etag.replace(/^W\//, '');
}
