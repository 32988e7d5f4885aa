/** The droplet of a staging: stored, and taken back when what comes after it fails. */

import { demandOutputFile } from '../../machine/host/output-file.ts';
import { errnoOf, isStagerError } from '../../words/errors.ts';
import { newGuid } from '../../words/ids.ts';
import { formatBytes, MEBIBYTE } from '../../words/units.ts';
import { sweepMemberCache } from '../droplet/pack/member-cache-sweep.ts';
import { dropletKey, storeDroplet, writeBlobTo } from '../droplet/store.ts';
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
  const { request, ports, signal } = staging;
  await demandOwn(workspace, [workspace.app, workspace.deps, workspace.profileD]);
  const guid = newGuid();
  const pack = (memberCache: string | undefined) =>
    storeDroplet(
      {
        app: request.app.guid,
        guid,
        directories: workspace,
        stagingInfo: built.stagingInfo,
        pack: {
          ...(memberCache !== undefined && { memberCache }),
          known: layered?.known(),
          maxBytes: request.diskMb * MEBIBYTE,
          ...(request.compression !== undefined && { compression: request.compression }),
          ...(request.sourceDateEpoch !== undefined && { sourceDateEpoch: request.sourceDateEpoch }),
        },
      },
      {
        blobs: ports.blobs,
        signal,
        onBytes: (done) =>
          staging.report({ type: 'progress', phase: { name: 'droplet' }, done, unit: 'bytes' }),
      },
    );
  const { stored, summary } = await staging.phases.run(
    { name: 'droplet' },
    () =>
      pack(ports.memberCache)
        .catch((error: unknown) => withoutCache(staging, error, pack))
        .catch(async (error: unknown) => {
          if (isStagerError(error, 'DROPLET_PACK_FAILED')) await layered?.giveUp();
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
