/** Which droplet a person means: the last one staged, a file, a blobstore address, or a guid. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BlobKey } from '../../stores/blobs/port/blob-store.ts';
import { keyOfPath } from '../../stores/blobs/port/key.ts';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { type Guid, parseGuid } from '../../words/ids.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import { redactUrls } from '../logs/redact.ts';

/** The records of earlier stagings; who keeps them decides where. */
export interface StagedRecords {
  /** The record of the last staging that made a droplet. */
  last(): Promise<StagingRecord | undefined>;
  /** The record of one build. */
  ofBuild(build: Guid): Promise<StagingRecord | undefined>;
  /** The newest record for which `wanted` holds. */
  find(wanted: (record: StagingRecord) => boolean): Promise<StagingRecord | undefined>;
}

/** Where a droplet's bytes are. */
export type DropletPlace = { readonly kind: 'file'; readonly path: string } | BlobPlace;

/**
 * A blob. S3 addresses don't hold endpoint and region: when the configured store has the blob's address
 * (`store.location(key) === address`), it is the one to read from, otherwise the store at `store`.
 */
export interface BlobPlace {
  readonly kind: 'blob';
  /** As a person or a record gave it. */
  readonly address: string;
  /** For {@link import('../../stores/blobs/open.ts').openBlobStore}. */
  readonly store: string;
  readonly key: BlobKey;
}

/**
 * A droplet and, where its staging is known, the record with process types and sidecars. A file's is found by its
 * sha256 once that is known: `records.find(({ droplet }) => droplet.sha256 === sha256)`.
 */
export interface LocatedDroplet {
  readonly place: DropletPlace;
  readonly record?: StagingRecord;
}

/**
 * Finds the droplet that `wanted` names.
 *
 * @param wanted undefined for the last one staged; a path; `file:///…` or `s3://…` as a record or `stager blobs`
 * shows it; the guid of a droplet or build.
 * @throws StagerError DROPLET_NOT_FOUND saying where was looked; DROPLET_INVALID for a directory.
 */
export async function locateDroplet(
  wanted: string | undefined,
  records: StagedRecords,
): Promise<LocatedDroplet> {
  if (wanted === undefined) {
    const record = await records.last();
    if (record !== undefined) return locatedBy(record);
    throw notFound('nothing was staged yet', 'Run `stager stage` first, or name a droplet.');
  }
  if (/^(file|s3):\/\//.test(wanted)) return await atAddress(wanted, records);
  const guid = parseGuid(wanted);
  const record =
    guid && ((await records.ofBuild(guid)) ?? (await records.find(({ droplet }) => droplet.guid === guid)));
  if (record !== undefined) return locatedBy(record);
  return await atPath(wanted);
}

/**
 * Splits the address of a blob into its store and its key, the inverse of `BlobStore.location`; undefined when
 * there is no key in it.
 */
export function splitBlobAddress(address: string): BlobPlace | undefined {
  const question = address.indexOf('?');
  const base = question < 0 ? address : address.slice(0, question);
  const query = question < 0 ? '' : address.slice(question);
  // From the right, since a prefix may hold the name of a kind as well.
  for (let slash = base.lastIndexOf('/'); slash > 0; slash = base.lastIndexOf('/', slash - 1)) {
    const key = keyOfPath(base.slice(slash + 1));
    const store = base.slice(0, slash);
    if (key !== undefined && !store.endsWith(':/')) {
      return { kind: 'blob', address, store: store + query, key };
    }
  }
  return undefined;
}

/** The droplet of a record. */
export function locatedBy(record: StagingRecord): LocatedDroplet {
  const { location } = record.droplet;
  const blob = splitBlobAddress(location);
  if (blob !== undefined) return { place: blob, record };
  throw notFound(
    `the record of build ${record.build} names no blob: ${location}`,
    'Name the droplet itself.',
  );
}

async function atAddress(address: string, records: StagedRecords): Promise<LocatedDroplet> {
  const record = await records.find(({ droplet }) => droplet.location === address);
  const known = record === undefined ? {} : { record };
  const blob = splitBlobAddress(address);
  if (blob !== undefined) return { place: blob, ...known };
  if (address.startsWith('file:')) return await atPath(pathOfUrl(address));
  throw notFound(
    `${redactUrls(address)} is not an address of a droplet`,
    'Give s3://BUCKET/PREFIX/droplets/ab/cd/NAME as `stager stage` showed it.',
  );
}

async function atPath(given: string): Promise<LocatedDroplet> {
  const path = resolve(given);
  const facts = await stat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  if (facts === undefined) {
    throw notFound(
      `there is no droplet ${given}`,
      'Give a file, a blobstore address or the guid of a build.',
    );
  }
  if (!facts.isFile()) {
    throw new StagerError('DROPLET_INVALID', `${given} is not a file`, {
      next: 'Give the .tar.gz that `stager stage --output` wrote.',
      details: { path },
    });
  }
  return { place: { kind: 'file', path } };
}

function pathOfUrl(address: string): string {
  try {
    return fileURLToPath(address);
  } catch (cause) {
    throw notFound(`${address} is not a file address`, 'Write file:///DIRECTORY/FILE.', cause);
  }
}

function notFound(message: string, next: string, cause?: unknown): StagerError {
  return new StagerError('DROPLET_NOT_FOUND', message, { next, phase: 'launch', cause });
}
