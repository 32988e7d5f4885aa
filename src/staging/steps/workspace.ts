/** The workspace of a staging: made before the app is put there, removed with the staging. */
import { MAX_FILES } from '../../machine/sandbox/port/sandbox.ts';
import type { VolumeSize } from '../../machine/sandbox/port/volume.ts';
import { MEBIBYTE } from '../../words/units.ts';
import { createWorkspace, type OwnedWorkspace, sweepWorkspaces } from '../workspace/workspace.ts';
import { apartWish } from './network.ts';
import type { Staging } from './staging.ts';

/** A workspace that is removed with the staging, unless `keep` says otherwise. */
export type StagingWorkspace = OwnedWorkspace & AsyncDisposable & { succeeded(): void };

/** Makes the private tree, after sweeping what dead processes left. */
export async function openWorkspace(staging: Staging): Promise<StagingWorkspace> {
  const { ports, request } = staging;
  await sweepWorkspaces(ports.workspaces);
  const own = await ports.sandbox.apart?.(apartWish(staging));
  const sandbox = own ?? ports.sandbox;
  staging.ports = { ...ports, sandbox };
  const workspace = await createWorkspace({
    parent: ports.workspaces,
    owner: sandbox.owner,
    rootMode: 0o711,
    guid: staging.build,
    // What is mounted goes with this process, and what is kept is for later.
    ...(request.keep === 'never' && { volume: { volumes: ports.sandbox.volumes, size: sizeOf(request) } }),
  }).catch(async (error: unknown) => {
    await own?.[Symbol.asyncDispose]();
    throw error;
  });
  let failed = true;
  return {
    ...workspace,
    succeeded: () => {
      failed = false;
    },
    [Symbol.asyncDispose]: async () => {
      try {
        staging.filledWorkspace = await workspace.isFull();
        const outcome = await workspace.release({ keep: request.keep, failed });
        if (outcome === 'kept') staging.warn('workspace-kept', `the workspace was kept: ${workspace.root}`);
      } catch (error) {
        // The outcome of the staging still stands; the next start tries again.
        staging.warn('workspace-not-removed', error instanceof Error ? error.message : String(error));
      } finally {
        // What comes after has no part in this one's ids.
        staging.ports = { ...staging.ports, sandbox: ports.sandbox };
        await own?.[Symbol.asyncDispose]();
      }
    },
  };
}

/** What a workspace may hold. */
const sizeOf = ({ diskMb }: Pick<Staging['request'], 'diskMb'>): VolumeSize => ({
  bytes: diskMb * MEBIBYTE,
  files: MAX_FILES,
});
