/** Opens the adapter for the address of a store. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StagerError } from '../../words/errors.ts';
import type { BlobStore } from './port/blob-store.ts';
import type { S3Reach } from './s3/session.ts';

/**
 * Opens the store at `address`: a path, `file:///…`, or `s3://bucket/prefix?endpoint=…` (docs/blobstore.md). Makes
 * nothing and sends nothing; the S3 client is loaded only when it is asked for. `reach` is for stores that are not on
 * this machine.
 *
 * @throws StagerError CONFIG_INVALID when the address is not valid.
 */
export async function openBlobStore(address: string, reach: S3Reach = {}): Promise<BlobStore> {
  if (address.startsWith('s3://')) {
    const { openS3BlobStore } = await import('./s3/s3-store.ts');
    return openS3BlobStore(address, reach);
  }
  const { DirectoryBlobStore } = await import('./fs/directory-store.ts');
  const path = directoryOf(address);
  const there = await stat(path).catch(() => undefined);
  if (there !== undefined && !there.isDirectory()) throw badAddress(address, undefined);
  return new DirectoryBlobStore(path);
}

function directoryOf(address: string): string {
  if (address.startsWith('file:')) {
    try {
      return fileURLToPath(address);
    } catch (cause) {
      throw badAddress(address, cause);
    }
  }
  // `s3:/bucket` is a slip, not a directory; one with a colon in its name can be written as ./s3:x.
  if (address === '' || /^[a-z][a-z0-9+.-]+:/i.test(address)) throw badAddress(address, undefined);
  return resolve(address);
}

function badAddress(address: string, cause: unknown): StagerError {
  const shown = address.replace(/^([^/]*:\/*).*@/s, '$1***@').replace(/\?.*$/s, '?…');
  return new StagerError('CONFIG_INVALID', `not a blobstore address: ${JSON.stringify(shown)}`, {
    next: 'Give a directory, file:///DIRECTORY or s3://BUCKET/PREFIX.',
    cause,
  });
}
