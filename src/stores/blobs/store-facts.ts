/** What `stager doctor` says of a blobstore that works. */
import { StagerError } from '../../words/errors.ts';
import type { BlobStore } from './port/blob-store.ts';

/** @throws StagerError BLOBSTORE_UNAVAILABLE when it can't be read, or not written. */
export async function storeFacts(store: BlobStore, signal: AbortSignal): Promise<readonly string[]> {
  const { readable, writable, notes } = await store.probe({ signal });
  if (readable && writable) return [`${store.url} can be read and written`, ...notes];
  const can = readable ? 'be written' : writable ? 'be read' : 'be read or written';
  throw new StagerError('BLOBSTORE_UNAVAILABLE', `${store.url} can't ${can}: ${notes.join('; ')}`, {
    next: 'Check the address and the credentials; stager needs to put, get, list and delete there.',
  });
}
