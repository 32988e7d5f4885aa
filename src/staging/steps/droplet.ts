/** The droplet of a staging: stored, and taken back when what comes after it fails. */

import { demandOutputFile } from '../../machine/host/output-file.ts';
import { errnoOf, isStagerError } from '../../words/errors.ts';
import { newGuid } from '../../words/ids.ts';
import { formatBytes, MEBIBYTE } from '../../words/units.ts';
import { dropletContents } from '../droplet/contents.ts';
import { sweepMemberCache } from '../droplet/pack/member-cache-sweep.ts';
import { type PackedTarball, type PackOptions, packTarball } from '../droplet/pack/tarball.ts';
import { dropletKey, storePacked, writeBlobTo } from '../droplet/store.ts';
import { demandOwn } from '../workspace/own.ts';
import type { LayeredApp } from './layered.ts';
import type { BuiltApp } from './scripts.ts';
import type { Staging } from './staging.ts';
import type { StagingWorkspace } from './workspace.ts';

/** Refuses `output` before an hour of work rather than after it. @throws StagerError CONFIG_INVALID. */
export async function demandOutput({ request }: Staging): Promise<void> {
  if (request.output !== undefined) await demandOutputFile(request.output);
}

/** Packs the droplet straight from the workspace into the blobstore. */
export async function storeResult(
  staging: Staging,
  {
    built,
    workspace,
    layered,
  }: {
    readonly built: BuiltApp;
    readonly workspace: StagingWorkspace;
    readonly layered?: LayeredApp | undefined;
  },
) {
  await demandOwn(workspace, [workspace.app, workspace.deps, workspace.profileD]);
  const contents = dropletContents(workspace, built.stagingInfo);
  return await storePackedBy(staging, {
    pack: (options) => packTarball(contents, { ...options, known: layered?.known() }),
    ...(layered !== undefined && { onRefused: () => layered.giveUp() }),
  });
}

/** How a droplet is packed, and what is done when it can't be. */
export interface DropletPacking {
  readonly pack: (options: PackOptions) => PackedTarball;
  readonly onRefused?: () => Promise<unknown>;
}

/** Stores what `pack` packs as the droplet of the staging, and writes it to `--output`. */
export async function storePackedBy(staging: Staging, { pack, onRefused }: DropletPacking) {
  const { request, ports, signal } = staging;
  const { compression, sourceDateEpoch } = request;
  const guid = newGuid();
  const store = (memberCache: string | undefined) => {
    const packed = pack({
      signal,
      ...(memberCache !== undefined && { memberCache }),
      maxBytes: request.diskMb * MEBIBYTE,
      ...(compression !== undefined && { compression }),
      ...(sourceDateEpoch !== undefined && { sourceDateEpoch }),
    });
    const input = { app: request.app.guid, guid, packed, ...(compression !== undefined && { compression }) };
    const onBytes = (done: number): unknown =>
      staging.report({ type: 'progress', phase: { name: 'droplet' }, done, unit: 'bytes' });
    return storePacked(input, { blobs: ports.blobs, signal, onBytes });
  };
  const { stored, summary } = await staging.phases.run(
    { name: 'droplet' },
    () =>
      store(ports.memberCache)
        .catch((error: unknown) => withoutCache(staging, error, store))
        .catch(async (error: unknown) => {
          if (isStagerError(error, 'DROPLET_PACK_FAILED')) await onRefused?.();
          throw error;
        }),
    ({ stored: { sizeBytes } }) => formatBytes(sizeBytes),
  );
  staging.unrecorded = dropletKey(request.app.guid, guid);
  for (const warning of summary.warnings) staging.warn('droplet', warning);
  const { fault } = await sweepMemberCache(ports.memberCache, { signal });
  if (fault !== undefined)
    staging.warn('droplet', `the member cache could not be swept (${fault}); it may grow`);
  if (request.output !== undefined)
    await writeBlobTo(request.output, staging.unrecorded, { blobs: ports.blobs, signal });
  return stored;
}

/** A full disk: what only saves time gives way to what was asked for. */
async function withoutCache<T>(
  staging: Staging,
  error: unknown,
  pack: (memberCache: undefined) => Promise<T>,
): Promise<T> {
  const { ports, signal } = staging;
  if (!isStagerError(error, 'BLOBSTORE_FULL', 'HOST_DISK_FULL') && errnoOf(error) !== 'ENOSPC') throw error;
  const limits = { maxBytes: 0, maxAgeMs: 0 };
  const { removedBytes } = await sweepMemberCache(ports.memberCache, { signal, limits, force: true });
  if (removedBytes === 0) throw error;
  const message = `the disk is full, so the cache of compressed members (${formatBytes(removedBytes)}) was deleted`;
  staging.warn('member-cache-given-up', message);
  return await pack(undefined);
}

/** Removes the damaged droplets that a new one has replaced. If it can't, gc finds them. */
export async function dropReplaced({ ports, signal, replaced }: Staging): Promise<void> {
  for (const key of replaced) await ports.blobs.delete(key, { signal }).catch(() => undefined);
}

/** A droplet without a record belongs to nobody, so it is removed with the staging that failed. If it can't, gc finds it. */
export async function discardDroplet({ ports, signal, unrecorded }: Staging): Promise<void> {
  if (unrecorded === undefined) return;
  const soon = AbortSignal.timeout(signal.aborted ? 1_000 : 10_000);
  await ports.blobs.delete(unrecorded, { signal: soon }).catch(() => undefined);
}
