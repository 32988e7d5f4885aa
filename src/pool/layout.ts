/** Where a tenant's pool lies in the blob store. */
import { randomBytes } from 'node:crypto';
import type { BlobKey } from '../blobs/blob-store.ts';
import { StagerError } from '../errors.ts';

/** Content types, so that a listing of the bucket explains itself. */
export const PACK_TYPE = 'application/vnd.stager.pack.v1';
export const INDEX_TYPE = 'application/vnd.stager.resource-index.v1';

/** A random id of a pack or segment; never used twice. */
export const newPoolId = (): string => randomBytes(12).toString('hex');

/** Prefix of the names of a tenant's segments. */
export const indexPrefix = (tenant: string): string => `${tenant}/index/`;

/** Prefix of the names of a tenant's packs. */
export const packPrefix = (tenant: string): string => `${tenant}/packs/`;

/** Key of a segment. */
export function segmentKey(tenant: string, id: string): BlobKey {
  return { kind: 'resources', name: `${indexPrefix(tenant)}${id}` };
}

/** Key of a pack. */
export function packKey(tenant: string, id: string): BlobKey {
  return { kind: 'resources', name: `${packPrefix(tenant)}${id}` };
}

/** Refuses a tenant that can't be part of a key. @throws StagerError USAGE. */
export function checkTenant(tenant: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,63}$/.test(tenant)) return tenant;
  throw new StagerError('USAGE', `${JSON.stringify(tenant)} can't name a tenant`, {
    next: 'use 1 to 64 characters of a-z 0-9 -, a space or organization guid for example',
  });
}
