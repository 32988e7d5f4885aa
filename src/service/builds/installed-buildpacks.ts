/**
 * The buildpacks of the endpoint, as a staging asks for them: rows of the database, whose archives are in the blobstore
 * (the shipped ones are on every machine). Archives are unpacked into this machine's store when first used.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FetchedBuildpack, FetchIo } from '../../staging/buildpack/acquire/fetch.ts';
import type { InstalledBuildpack } from '../../staging/buildpack/acquire/registry.ts';
import type {
  InstalledBuildpacks,
  OrderParts,
  ResolveParts,
} from '../../staging/buildpack/acquire/resolve.ts';
import { writeBlobTo } from '../../staging/droplet/store.ts';
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { isStagerError, StagerError } from '../../words/errors.ts';
import { newGuid, parseSha256 } from '../../words/ids.ts';
import { type Buildpack, readyBuildpacks } from '../resources/buildpacks.ts';
import type { Queries } from '../state/database.ts';

export interface InstalledParts {
  readonly queries: Queries;
  readonly blobs: BlobStore;
  /** Those of this machine. */
  readonly local: ResolveParts;
  /** Directory for archives on their way. */
  readonly temp: string;
  /** Name of the stack, which the root file system does not have. */
  readonly stack: string;
  readonly signal: AbortSignal;
  /** Hears what happens, a line each. */
  readonly say: (text: string) => void;
}

/** What a staging resolves its order with. */
export function orderParts(parts: InstalledParts): OrderParts {
  const { fetcher, store, shipped } = parts.local;
  const registry: InstalledBuildpacks = {
    candidates: () => candidates(parts),
    find: (name) => find(parts, name),
    leases: (buildpacks, signal) => store.leases(buildpacks, signal),
  };
  return { registry, fetcher, store, ...(shipped !== undefined && { shipped }) };
}

/** One that can't be used is left out, as on a cell: it would keep every app from being detected. */
async function candidates(parts: InstalledParts): Promise<readonly InstalledBuildpack[]> {
  const rows = await readyBuildpacks(parts.queries);
  const fitting = rows.filter((row) => row.enabled && (row.stack === null || row.stack === parts.stack));
  const found: InstalledBuildpack[] = [];
  for (const row of fitting) {
    try {
      found.push(await installed(row, parts));
    } catch (error) {
      if (!isStagerError(error) || error.code === 'CANCELLED') throw error;
      parts.say(`WARNING: ${row.name} is left out: ${error.message}`);
    }
  }
  return found;
}

async function find(parts: InstalledParts, name: string): Promise<InstalledBuildpack> {
  const named = (await readyBuildpacks(parts.queries)).filter((row) => row.name === name);
  const row = named.find((it) => it.stack === parts.stack) ?? named.find((it) => it.stack === null);
  if (row === undefined) {
    throw new StagerError('BUILDPACK_NOT_FOUND', `no buildpack ${name} for stack ${parts.stack}`, {
      next: 'cf buildpacks shows which there are.',
    });
  }
  if (row.enabled) return await installed(row, parts);
  throw new StagerError('BUILDPACK_DISABLED', `buildpack ${name} is disabled`, {
    next: 'Enable it (cf update-buildpack NAME --enable), or name another one.',
  });
}

async function installed(row: Buildpack, parts: InstalledParts): Promise<InstalledBuildpack> {
  parts.say(`Downloading ${row.name}...`);
  const { fetched, source } = await bitsOf(row, parts);
  // Named a moment ago, so no sweep takes it before it is leased again.
  await fetched.lease.release();
  parts.say(`Downloaded ${row.name}`);
  const version = row.version ?? fetched.version;
  return {
    name: row.name,
    position: row.position,
    ...(row.stack !== null && { stack: row.stack }),
    enabled: row.enabled,
    locked: row.locked,
    filename: row.filename ?? fetched.filename,
    ...(version !== undefined && { version }),
    digest: fetched.lease.digest,
    inner: fetched.inner,
    source,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}

async function bitsOf(
  row: Buildpack,
  { blobs, local, temp, signal }: InstalledParts,
): Promise<{ readonly fetched: FetchedBuildpack; readonly source: string }> {
  const io: FetchIo = { signal };
  const { content_key: key, shipped_as: shippedAs } = row;
  if (key === null) {
    if (shippedAs === null || local.shipped === undefined) {
      throw new StagerError('BUILDPACK_NOT_FOUND', `buildpack ${row.name} has no content`, {
        next: 'Upload it again (cf update-buildpack NAME -p PATH).',
      });
    }
    const source = `stager:${shippedAs}`;
    const path = join(local.shipped, shippedAs);
    return { fetched: await local.fetcher.fetch({ kind: 'directory', key: source, path }, io), source };
  }
  const sha256 = parseSha256(row.sha256 ?? '');
  const path = join(temp, `${newGuid()}.zip`);
  // Nobody uploads to a worker, so that nothing else has made it there.
  await mkdir(temp, { recursive: true, mode: 0o700 });
  try {
    await writeBlobTo(path, { kind: 'buildpacks', name: key }, { blobs, signal });
    const reference = { kind: 'file', key: row.name, path, ...(sha256 !== undefined && { sha256 }) } as const;
    return { fetched: await local.fetcher.fetch(reference, io), source: path };
  } finally {
    await rm(path, { force: true });
  }
}
