/** Where a tenant's pool is in the blobstore. */
import { randomBytes } from 'node:crypto';
import { StagerError } from '../../words/errors.ts';
import type { BlobKey, BlobStore } from '../blobs/port/blob-store.ts';

/** Content types, so that a listing of the bucket explains itself. */
export const PACK_TYPE = 'application/vnd.stager.pack.v1';
/** A pack that is one large content and nothing else. */
export const SINGLE_TYPE = 'application/vnd.stager.content.v1';
export const INDEX_TYPE = 'application/vnd.stager.resource-index.v1';

const TENANT = /^[a-z0-9][a-z0-9-]{0,63}$/;
/** What {@link newPoolId} makes. */
export const POOL_ID = /^[0-9a-f]{24}$/;

/** A random id of a pack or segment; never used twice. */
export const newPoolId = (): string => randomBytes(12).toString('hex');

/** Prefix of the names of a tenant's segments. */
export const indexPrefix = (tenant: string): string => `${tenant}/index/`;

/** Prefix of the names of a tenant's packs. */
const packPrefix = (tenant: string): string => `${tenant}/packs/`;

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
  if (TENANT.test(tenant)) return tenant;
  throw new StagerError('USAGE', `${JSON.stringify(tenant)} can't name a tenant`, {
    next: 'Use 1 to 64 characters of a-z 0-9 -, for example the guid of a space or organization.',
  });
}

/** A pack as the store lists it. */
export interface ListedPack {
  readonly id: string;
  readonly sizeBytes: number;
  /** Milliseconds since the epoch. */
  readonly modifiedAtMs: number;
}

/** Every pack of a tenant that is there, in the index or not. */
export async function* packsOf(
  { store, signal }: { readonly store: BlobStore; readonly signal: AbortSignal },
  tenant: string,
): AsyncGenerator<ListedPack, void, void> {
  const prefix = packPrefix(tenant);
  for await (const { key, sizeBytes, modifiedAtMs } of store.names('resources', { signal, prefix })) {
    const id = key.name.slice(prefix.length);
    if (POOL_ID.test(id)) yield { id, sizeBytes, modifiedAtMs };
  }
}

/** Tenants that have a pool. */
export async function tenantsOf(store: BlobStore, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const tenants = new Set<string>();
  for await (const { key } of store.names('resources', { signal })) {
    const [tenant = '', what = ''] = key.name.split('/');
    if (TENANT.test(tenant) && (what === 'index' || what === 'packs')) tenants.add(tenant);
  }
  return tenants;
}
