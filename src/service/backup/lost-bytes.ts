/** Rows that say there are bytes where the blobstore has none: after a restore from copies of different moments. */
import { packageKey } from '../../staging/package/listing.ts';
import type { BlobKey, BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { type Guid, parseGuid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';

export interface LostBytes {
  readonly kind: 'package' | 'droplet' | 'buildpack';
  readonly guid: Guid;
  readonly app?: Guid;
}

export async function findLostBytes({
  queries,
  blobs,
  signal,
}: {
  readonly queries: Queries;
  readonly blobs: BlobStore;
  readonly signal: AbortSignal;
}): Promise<readonly LostBytes[]> {
  const lost: LostBytes[] = [];
  for (const { key, ...row } of await namedBytes(queries)) {
    if ((await blobs.stat(key, { signal })) === undefined) lost.push(row);
  }
  return lost;
}

async function namedBytes(queries: Queries): Promise<readonly (LostBytes & { readonly key: BlobKey })[]> {
  const packages = await queries
    .selectFrom('packages')
    .select(['guid', 'app_guid as app', 'content_guid'])
    .where('state', '=', 'READY')
    .where('content_guid', 'is not', null)
    .execute();
  const droplets = await queries
    .selectFrom('droplets')
    .select(['guid', 'app_guid as app', 'content_key'])
    .where('state', '=', 'STAGED')
    .where('content_key', 'is not', null)
    .execute();
  const buildpacks = await queries
    .selectFrom('buildpacks')
    .select(['guid', 'content_key'])
    .where('content_key', 'is not', null)
    .execute();
  return [
    ...packages.flatMap(({ content_guid: content, ...row }) => {
      const guid = parseGuid(content ?? '');
      return guid === undefined ? [] : [{ kind: 'package' as const, ...row, key: packageKey(guid) }];
    }),
    ...droplets.map(({ content_key: name, ...row }) => ({
      kind: 'droplet' as const,
      ...row,
      key: { kind: 'droplets' as const, name: name ?? '' },
    })),
    ...buildpacks.map(({ content_key: name, ...row }) => ({
      kind: 'buildpack' as const,
      ...row,
      key: { kind: 'buildpacks' as const, name: name ?? '' },
    })),
  ];
}
