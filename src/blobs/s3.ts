/** The S3 adapter of the blob store. */
import { StagerError } from '../errors.ts';
import type { BlobStore } from './blob-store.ts';

export function openS3BlobStore(_address: string): BlobStore {
  throw new StagerError('CONFIG_INVALID', 'the S3 store is not here yet');
}
