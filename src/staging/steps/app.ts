/** The app of a staging: opened, stored as a package, written into the workspace. */
import { withLease } from '../../stores/blobs/lease.ts';
import { StagerError } from '../../words/errors.ts';
import type { Guid, Sha256 } from '../../words/ids.ts';
import { formatBytes, formatCount, MEBIBYTE } from '../../words/units.ts';
import type { Listed } from '../layers/supply.ts';
import { storePackage } from '../package/create.ts';
import { packageKey, readListing } from '../package/listing.ts';
import { openPackage } from '../package/open.ts';
import { sourceProgress } from '../package/source-progress.ts';
import type { Source } from '../source/entry.ts';
import { openSource } from '../source/open.ts';
import { materialise } from '../workspace/materialise.ts';
import { FEW_FILES, LayeredApp } from './layered.ts';
import type { Staging } from './staging.ts';
import type { StagingWorkspace } from './workspace.ts';

/** An app whose bytes are in the blobstore. */
export interface PackagedApp {
  readonly source: Source;
  readonly package: Guid;
  /** Equal for equal sources; of a stored package its guid, since it never changes. */
  readonly digest: Sha256 | Guid;
  /** What the package lists; read from the store when it is asked for again. */
  readonly listed: () => Promise<Listed>;
  /** What was packaged; undefined for a package that was there. */
  readonly counts?: { readonly files: number; readonly bytes: number };
}

/** The app, opened; its entries are read later. */
export async function openApp({ request, ports, signal }: Staging): Promise<Source> {
  const { source, ignoreStyle, diskMb } = request;
  if (source.kind === 'package') return await openPackage(source.guid, { store: ports.blobs, signal });
  const limits = { maxBytes: diskMb * MEBIBYTE, raise: '--disk' };
  return await openSource(source.path, { ignoreStyle, limits, tempRoot: ports.temp });
}

/** Keeps garbage collection, in any process, from what `step` reads, and from what it stores meanwhile. */
export async function leased<T>(staging: Staging, step: () => Promise<T>): Promise<T> {
  const { request, ports, signal, build } = staging;
  const { source } = request;
  const holds = source.kind === 'package' ? [packageKey(source.guid)] : [];
  const purpose = `staging ${build} of ${request.app.name}`;
  return await withLease(ports.blobs, { purpose, holds, signal }, step);
}

/** Opens the app and stores it as a package: only what the resource cache lacks is sent. */
export async function packageApp(staging: Staging): Promise<PackagedApp> {
  const { request, ports, signal } = staging;
  const source = await openApp(staging);
  if (request.source.kind === 'package') {
    const { guid } = request.source;
    return { source, package: guid, digest: guid, listed: () => listingOf(guid, staging) };
  }
  let gathered: Listed | undefined;
  const created = await staging.phases.run(
    { name: 'source' },
    () =>
      storePackage(source, {
        store: ports.blobs,
        signal,
        app: request.app.guid,
        statCachePath: ports.statCache(request.app.guid),
        onListed: ({ entries, hostRoot }) => {
          gathered = { count: entries.length, entries, ...(hostRoot !== undefined && { hostRoot }) };
        },
        onProgress: (progress) => staging.report(sourceProgress(progress)),
      }),
    ({ files, bytes, sentBytes }) =>
      `${formatCount(files, 'file')}, ${formatBytes(bytes)}, ${formatBytes(sentBytes)} sent`,
  );
  const listed = async () => {
    const first = gathered;
    gathered = undefined;
    return first ?? (await listingOf(created.guid, staging));
  };
  return { source, package: created.guid, digest: created.contentSha256, counts: created, listed };
}

async function listingOf(guid: Guid, { ports, signal }: Staging): Promise<Listed> {
  const { header, entries, close } = await readListing(ports.blobs, guid, { signal });
  return { count: header.entries, entries, close };
}

/**
 * Writes the app into the workspace, from where it is rather than back out of the store: what is new above the tree of
 * its last package, or all of it.
 *
 * @returns undefined when it was copied.
 * @throws StagerError SOURCE_CHANGED when it is not what was packaged a moment ago.
 */
export async function fillApp(
  staging: Staging,
  app: Pick<PackagedApp, 'source' | 'counts'> & Partial<Pick<PackagedApp, 'listed'>>,
  workspace: StagingWorkspace,
): Promise<LayeredApp | undefined> {
  const filled = await staging.phases.run(
    { name: 'workspace' },
    async () => {
      const { source, listed } = app;
      const layered =
        listed === undefined
          ? 'it is not a package'
          : await LayeredApp.fill(staging, workspace, { source, listed });
      if (typeof layered !== 'string') return { layered, note: layered.note };
      const { wanted } = staging.ports.layers;
      if (wanted === 'overlay')
        staging.warn('workspace-copied', `the app is copied into its workspace: ${layered}`);
      const files = formatCount(await copyApp(staging, app, workspace), 'file');
      const isOwnChoice = wanted === 'auto' && listed !== undefined && layered !== FEW_FILES;
      return { note: isOwnChoice ? `${files}, copied (${layered})` : files };
    },
    ({ note }) => note,
  );
  return filled.layered;
}

async function copyApp(
  { ports, request, signal, report }: Staging,
  app: Pick<PackagedApp, 'source' | 'counts'>,
  workspace: StagingWorkspace,
): Promise<number> {
  const written = await materialise(app.source, workspace.app, {
    owner: ports.sandbox.owner,
    limits: { maxBytes: request.diskMb * MEBIBYTE, raise: '--disk' },
    signal,
    report,
  });
  const { counts } = app;
  if (counts === undefined || (counts.files === written.files && counts.bytes === written.bytes))
    return written.files;
  throw new StagerError('SOURCE_CHANGED', `${app.source.description} changed while it was staged`, {
    next: 'Stage again when nothing is writing to it.',
    phase: 'workspace',
    details: { packaged: { files: counts.files, bytes: counts.bytes }, staged: written },
  });
}
