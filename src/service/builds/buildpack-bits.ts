/** Archives of buildpacks: checked, stored, and the shipped ones listed at the first start. */

import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { fileDigest } from '../../machine/host/file-digest.ts';
import { fileInArchive } from '../../staging/buildpack/acquire/extract.ts';
import type { InstalledBuildpack } from '../../staging/buildpack/acquire/registry.ts';
import { readScalars } from '../../staging/buildpack/contract/yaml.ts';
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import type { Guid } from '../../words/ids.ts';
import {
  createBuildpack,
  deleteBuildpackRow,
  fillBuildpack,
  findBuildpack,
} from '../resources/buildpacks.ts';
import type { Queries } from '../state/database.ts';
import type { UploadSpool } from './upload-spool.ts';

export interface BuildpackBitsParts {
  readonly queries: Queries;
  readonly blobs: BlobStore;
  readonly spool: UploadSpool;
  readonly signal: AbortSignal;
}

/** Why an upload was not taken, by the name of Cloud Controller's error. */
export class BuildpackRefused extends Error {
  readonly title:
    | 'BuildpackStacksDontMatch'
    | 'BuildpackStackDoesNotExist'
    | 'BuildpackNameStackLifecycleTaken';

  constructor(title: BuildpackRefused['title'], message: string) {
    super(message);
    this.title = title;
  }
}

/**
 * Stores what was uploaded for a buildpack, whose stack its manifest may name. Can be repeated.
 *
 * @throws BuildpackRefused; StagerError BUILDPACK_MALFORMED.
 */
export async function storeUploadedBuildpack(
  upload: { readonly guid: Guid; readonly file: Guid; readonly filename: string },
  parts: BuildpackBitsParts,
): Promise<void> {
  const { queries, blobs, spool, signal } = parts;
  const row = await findBuildpack(queries, upload.guid);
  const { bits } = await spool.find(upload.file);
  try {
    if (row === undefined || bits === undefined) return;
    await mkdir(spool.dir, { recursive: true });
    const io = { key: row.name, tempRoot: spool.dir, signal };
    const manifest = (await fileInArchive(bits, 'manifest.yml', io)) ?? '';
    const named = readScalars(manifest, ['stack'])['stack'];
    const stack = await stackFor(row, named, queries);
    const version = (await fileInArchive(bits, 'VERSION', io))?.split('\n', 1)[0]?.trim().slice(0, 64);
    const sha256 = await fileDigest(bits, signal);
    const key = `${row.guid}_${sha256}`;
    await blobs.put({ kind: 'buildpacks', name: key }, createReadStream(bits), {
      contentType: 'application/zip',
      signal,
    });
    const content = {
      filename: upload.filename,
      version: version === undefined || version === '' ? null : version,
      sha256,
      content_key: key,
      shipped_as: null,
      stack,
    };
    if (!(await fillBuildpack(queries, row.guid, content))) throw taken(row.name, stack);
    if (row.content_key !== null && row.content_key !== key) await drop(blobs, row.content_key, signal);
  } finally {
    if (!signal.aborted) await spool.drop(upload.file);
  }
}

async function stackFor(
  row: { readonly stack: string | null; readonly name: string },
  named: string | undefined,
  queries: Queries,
): Promise<string | null> {
  if (named === undefined) return row.stack;
  if (row.stack !== null && row.stack !== named) {
    const text = `Uploaded buildpack stack (${named}) does not match ${row.stack}`;
    throw new BuildpackRefused('BuildpackStacksDontMatch', text);
  }
  const known = await queries
    .selectFrom('stacks')
    .select('name')
    .where('name', '=', named)
    .executeTakeFirst();
  if (known !== undefined) return named;
  throw new BuildpackRefused(
    'BuildpackStackDoesNotExist',
    `Uploaded buildpack stack (${named}) does not exist`,
  );
}

function taken(name: string, stack: string | null): BuildpackRefused {
  const text = `The buildpack name ${name} is already in use for the stack ${stack ?? 'null'} and the lifecycle buildpack`;
  return new BuildpackRefused('BuildpackNameStackLifecycleTaken', text);
}

/** Its archive first: repeated after a crash, the row is still there. */
export async function deleteBuildpack(guid: Guid, parts: Omit<BuildpackBitsParts, 'spool'>): Promise<void> {
  const row = await findBuildpack(parts.queries, guid);
  if (row === undefined) return;
  if (row.content_key !== null) await drop(parts.blobs, row.content_key, parts.signal);
  await deleteBuildpackRow(parts.queries, guid);
}

async function drop(blobs: BlobStore, name: string, signal: AbortSignal): Promise<void> {
  await blobs.delete({ kind: 'buildpacks', name }, { signal });
}

/** Source of those that ship, as the registry of this machine has it. */
const SHIPPED = /^stager:([\w-]+)$/;

/**
 * Lists the shipped buildpacks in an endpoint that has none yet, under the names that Cloud Foundry's have; brings the
 * version of those up to date that nobody replaced.
 */
export async function seedBuildpacks(queries: Queries, local: readonly InstalledBuildpack[]): Promise<void> {
  const shipped = local.flatMap((it) => {
    const name = SHIPPED.exec(it.source)?.[1];
    return name === undefined ? [] : [{ ...it, shippedAs: name }];
  });
  const some = await queries.selectFrom('buildpacks').select('guid').limit(1).executeTakeFirst();
  const seeded = await queries
    .selectFrom('jobs')
    .select('guid')
    .where('operation', '=', 'buildpack.delete')
    .limit(1)
    .executeTakeFirst();
  for (const [index, it] of shipped.entries()) {
    const version = it.version ?? null;
    const content = {
      filename: `${it.shippedAs}_buildpack${version === null ? '' : `-v${version}`}.zip`,
      version,
      sha256: null,
      content_key: null,
      shipped_as: it.shippedAs,
    };
    await queries.updateTable('buildpacks').set(content).where('shipped_as', '=', it.shippedAs).execute();
    if (some !== undefined || seeded !== undefined) continue;
    await createBuildpack(queries, { name: `${it.shippedAs}_buildpack`, position: index + 1 }, content);
  }
}
