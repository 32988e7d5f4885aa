/** `stager blobs repair`: rebuilds damaged or lost indexes of the resource cache, and names broken packages. */

import { type BrokenPackage, brokenPackages, repairPools } from '../../../staging/package/repair.ts';
import { printable } from '../../../staging/source/refusals.ts';
import type { BlobStore } from '../../../stores/blobs/port/blob-store.ts';
import type { RepairReport } from '../../../stores/resource-cache/repair.ts';
import { CODES, isStagerError } from '../../../words/errors.ts';
import { formatCount } from '../../../words/units.ts';
import type { Context } from '../input/context.ts';

/** Repairs; ends with the status of RESOURCE_MISSING when packages stay that can't be staged. */
export async function blobsRepair(context: Context): Promise<number> {
  const { output, signal, flags } = context;
  const store = await (await context.stager()).blobs();
  const dryRun = flags['dryRun'] === true;
  const pools = await repairPools(store, { signal, dryRun });
  const damaged = pools.some(({ damagedSegments }) => damagedSegments > 0);
  // Without its index nothing can be said of packages.
  const packages = dryRun && damaged ? [] : await namePackages(context, store);
  if (output.json) output.object({ dryRun, pools, packages });
  else for (const pool of pools) for (const line of linesOf(pool, dryRun)) output.line(line);
  return packages.length === 0 ? 0 : CODES.RESOURCE_MISSING.exit;
}

/** Packages that can't be staged, each said on stderr. */
export async function namePackages(
  { output, signal }: Pick<Context, 'output' | 'signal'>,
  store: BlobStore,
): Promise<readonly BrokenPackage[]> {
  const broken: BrokenPackage[] = [];
  try {
    for await (const item of brokenPackages({ store, signal })) {
      broken.push(item);
      if (!output.json) output.note(sentenceOf(item));
    }
  } catch (error) {
    if (!isStagerError(error, 'BLOB_CORRUPT')) throw error;
    output.note(`packages were not checked: ${error.message}; ${error.next ?? ''}`);
  }
  return broken;
}

function sentenceOf({ guid, missingFiles, path }: BrokenPackage): string {
  const what =
    missingFiles === undefined
      ? 'its listing is damaged'
      : `the contents of ${formatCount(missingFiles, 'file')} are missing, starting with ${printable(path ?? '')}`;
  return `package ${guid} can't be staged: ${what}; create it again`;
}

function linesOf(pool: RepairReport, dryRun: boolean): string[] {
  const would = dryRun ? 'would be ' : '';
  const { damagedSegments, addedPacks, addedContents, damagedContents, unreadablePacks, lostPacks } = pool;
  const found = [
    ...(damagedSegments === 0
      ? []
      : [`${formatCount(damagedSegments, 'damaged index part')} ${would}deleted`]),
    ...(addedPacks === 0
      ? []
      : [`${formatCount(addedPacks, 'pack')} with ${formatCount(addedContents, 'content')} ${would}entered`]),
    ...(damagedContents === 0 ? [] : [`${formatCount(damagedContents, 'content')} in them damaged`]),
    ...(unreadablePacks.length === 0 ? [] : [`unreadable: ${unreadablePacks.join(', ')}`]),
    ...(lostPacks.length === 0
      ? []
      : [`${formatCount(lostPacks.length, 'pack')} gone: ${lostPacks.join(', ')}`]),
  ];
  return [`resource cache ${pool.tenant}: ${found.length === 0 ? 'nothing to repair' : found.join('; ')}`];
}
