/** Packages for the library: an app that is stored before it is staged. */
import { openStager } from '../../compose.ts';
import {
  type CreateProgress,
  storePackage as create,
  type PackageResult,
} from '../../staging/package/create.ts';
import { appIdentity } from '../../staging/request/request.ts';
import { openSource } from '../../staging/source/open.ts';
import { type CommonOptions, configOf } from './options.ts';

/** Options of `createPackage`. */
export interface PackageOptions extends Pick<CommonOptions, 'home' | 'blobstore' | 'caFile' | 'signal'> {
  /** Directory or archive; default `.`. */
  readonly source?: string;
  /** Name of the app; default: the name of the source. */
  readonly appName?: string;
  readonly ignoreStyle?: 'cf' | 'git';
  /** Must not throw. */
  readonly onProgress?: (progress: CreateProgress) => void;
}

/**
 * Stores an app, sending only what the resource cache lacks. Stage it with `stage({ package: guid })`.
 *
 * @throws StagerError SOURCE_*, BLOBSTORE_*, CANCELLED.
 */
export async function createPackage(options: PackageOptions = {}): Promise<PackageResult> {
  const path = options.source ?? '.';
  const config = await configOf(options);
  const source = await openSource(path, { ignoreStyle: options.ignoreStyle ?? config.settings.ignoreStyle });
  const app = await appIdentity(path, options.appName);
  await using stager = openStager(config);
  return await create(source, {
    store: await stager.blobs(),
    signal: options.signal ?? new AbortController().signal,
    app: app.guid,
    statCachePath: stager.statCache(app.guid),
    ...(options.onProgress !== undefined && { onProgress: options.onProgress }),
  });
}
