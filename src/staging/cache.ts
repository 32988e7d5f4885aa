import type { ResolvedOrder } from '../buildpack/resolve.ts';
import type { StoredBlob } from '../droplet/record.ts';
import type { Staging, StagingStack } from './staging.ts';
import type { StagingWorkspace } from './steps.ts';

interface CacheInput {
  readonly stack: StagingStack;
  readonly buildpacks: ResolvedOrder;
  readonly workspace: StagingWorkspace;
}

export async function restoreCache(_staging: Staging, _input: CacheInput): Promise<void> {}

export async function saveCache(_staging: Staging, _input: CacheInput): Promise<StoredBlob | undefined> {
  return undefined;
}
