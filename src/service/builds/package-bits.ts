/** Packages: from an upload to contents in the resource cache of their space, and back to a zip. */
import { stat } from 'node:fs/promises';
import { PassThrough, Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import { borrowResources } from '../../staging/package/borrow.ts';
import { packageKey } from '../../staging/package/listing.ts';
import { openPackage } from '../../staging/package/open.ts';
import { receivePackage } from '../../staging/package/receive.ts';
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { asStagerError } from '../../words/error-report.ts';
import { StagerError, withNext } from '../../words/errors.ts';
import type { Guid } from '../../words/ids.ts';
import { movePackage } from '../resources/packages.ts';
import type { Queries } from '../state/database.ts';
import type { UploadSpool } from './upload-spool.ts';

export interface PackageBitsParts {
  readonly queries: Queries;
  readonly blobs: BlobStore;
  readonly spool: UploadSpool;
  readonly signal: AbortSignal;
}

/**
 * Makes a READY package of what was uploaded, or a FAILED one with the reason. Can be repeated.
 *
 * @param from spaces whose stored contents the uploader may use.
 */
export async function packUpload(
  guid: Guid,
  from: readonly string[],
  parts: PackageBitsParts,
): Promise<void> {
  const { queries, blobs: store, spool, signal } = parts;
  const row = await queries
    .selectFrom('packages')
    .innerJoin('apps', 'apps.guid', 'packages.app_guid')
    .where('packages.guid', '=', guid)
    .where('packages.state', '=', 'PROCESSING_UPLOAD')
    .select(['packages.app_guid', 'apps.space_guid'])
    .executeTakeFirst();
  if (row !== undefined) {
    try {
      const { bits, resources } = await spool.find(guid);
      if (bits === undefined && resources === undefined) throw lost();
      const tenant = row.space_guid;
      if (resources !== undefined) await borrowResources(resources, { store, signal, tenant, from });
      const made = await receivePackage(
        { ...(bits !== undefined && { zipPath: bits }), ...(resources !== undefined && { resources }) },
        { store, signal, tenant, app: row.app_guid },
      );
      const content = {
        content_guid: made.guid,
        sha256: made.contentSha256,
        size_in_bytes: made.bytes,
        sent_in_bytes: bits === undefined ? 0 : (await stat(bits)).size,
      };
      const moved = await movePackage(queries, guid, { from: 'PROCESSING_UPLOAD', to: 'READY', content });
      // Deleted meanwhile.
      if (!moved) await store.delete(packageKey(made.guid), { signal });
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const text = withNext(asStagerError(thrown));
      await movePackage(queries, guid, { from: 'PROCESSING_UPLOAD', to: 'FAILED', error: text });
    }
  }
  await spool.drop(guid);
}

function lost(): StagerError {
  return new StagerError('PACKAGE_INVALID', 'the upload was lost', { next: 'Push again.' });
}

/** The bytes of a package as a zip, made while it is read. @throws StagerError PACKAGE_NOT_FOUND. */
export async function packageZip(
  content: Guid,
  { blobs, signal }: Pick<PackageBitsParts, 'blobs' | 'signal'>,
): Promise<Readable> {
  const source = await openPackage(content, { store: blobs, signal });
  const out = new PassThrough();
  void write(source.entries({ signal }), out).catch((error: unknown) =>
    out.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return out;
}

const SYMLINK = 0o120_777;
const FILE = 0o100_000;
/** Earlier is not possible in a zip. */
const FIRST_TIME = new Date(1980, 0, 1);

async function write(
  entries: ReturnType<Awaited<ReturnType<typeof openPackage>>['entries']>,
  out: PassThrough,
): Promise<void> {
  const zip = new ZipFile();
  zip.outputStream.on('error', (error: Error) => out.destroy(error)).pipe(out);
  for await (const entry of entries) {
    const mtime = new Date(Math.max(entry.mtimeMs, FIRST_TIME.getTime()));
    if (entry.kind === 'directory') zip.addEmptyDirectory(entry.path, { mtime });
    else if (entry.kind === 'symlink') {
      zip.addBuffer(Buffer.from(entry.target), entry.path, { mtime, mode: SYMLINK });
    } else if (entry.open !== undefined) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const body = Readable.from(await entry.open(), { objectMode: false });
      body.once('end', resolve).once('error', reject);
      out.once('close', () => body.destroy()).once('close', resolve);
      zip.addReadStream(body, entry.path, { mtime, mode: FILE | (entry.mode & 0o777) });
      // One after another: the reader has one content open at a time.
      await promise;
    }
    if (out.destroyed) return;
  }
  zip.end();
}
