/** Uploaded droplets that were made elsewhere: stored as they are. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dropletKey } from '../../staging/droplet/store.ts';
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { asStagerError } from '../../words/error-report.ts';
import { StagerError } from '../../words/errors.ts';
import type { Guid } from '../../words/ids.ts';
import { moveDroplet } from '../resources/droplets.ts';
import type { Queries } from '../state/database.ts';
import type { UploadSpool } from './upload-spool.ts';

export interface DropletBitsParts {
  readonly queries: Queries;
  readonly blobs: BlobStore;
  readonly spool: UploadSpool;
  readonly signal: AbortSignal;
}

/** Makes a STAGED droplet of what was uploaded, or a FAILED one. Can be repeated. @throws StagerError. */
export async function storeUploadedDroplet(guid: Guid, parts: DropletBitsParts): Promise<void> {
  const { queries, blobs, spool, signal } = parts;
  const row = await queries
    .selectFrom('droplets')
    .select('app_guid')
    .where('guid', '=', guid)
    .where('state', '=', 'PROCESSING_UPLOAD')
    .executeTakeFirst();
  try {
    if (row === undefined) return;
    const { bits } = await spool.find(guid);
    if (bits === undefined || (await stat(bits)).size === 0) throw empty();
    const key = dropletKey(row.app_guid, guid);
    const { sha1, sha256, sizeBytes } = await blobs.put(key, createReadStream(bits), {
      contentType: 'application/gzip',
      signal,
    });
    const content = { content_key: key.name, sha1, sha256, size_in_bytes: sizeBytes };
    const moved = await moveDroplet(queries, guid, { from: 'PROCESSING_UPLOAD', to: 'STAGED', content });
    if (!moved) await blobs.delete(key, { signal });
  } catch (thrown) {
    if (!signal.aborted) {
      const error = asStagerError(thrown).message;
      await moveDroplet(queries, guid, { from: 'PROCESSING_UPLOAD', to: 'FAILED', error });
    }
    throw thrown;
  } finally {
    if (!signal.aborted) await spool.drop(guid);
  }
}

function empty(): StagerError {
  return new StagerError('DROPLET_INVALID', 'the uploaded droplet is empty', { next: 'Upload it again.' });
}
