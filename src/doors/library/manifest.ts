/** A manifest for the library: its apps as options of `stage`. */
import { demandSource, type ManifestChoice, openManifest } from '../../staging/manifest/open.ts';
import { manifestWishes } from '../../staging/manifest/wishes.ts';
import { configOf, type StageOptions } from './options.ts';

/**
 * The apps of a `manifest.yml`, in its order, each as options for `stage`; spread your own over them. A manifest says
 * what an app runs with: memory and disk only raise what a staging gets by default.
 *
 * @throws StagerError MANIFEST_INVALID, CONFIG_INVALID, SOURCE_NOT_FOUND for an app whose path is not there.
 */
export async function manifestApps(choice: ManifestChoice): Promise<readonly StageOptions[]> {
  const { apps, warnings } = await openManifest(choice);
  for (const { app, source } of apps) await demandSource(source, app);
  const { settings } = await configOf({});
  return apps.map(({ app, source }, index) => {
    const { memoryMb, diskMb, ...wishes } = manifestWishes(app);
    return {
      ...wishes,
      source,
      appName: app.name,
      ...(memoryMb !== undefined && { memoryMb: Math.max(memoryMb, settings.memory) }),
      ...(diskMb !== undefined && { diskMb: Math.max(diskMb, settings.disk) }),
      // About the file as a whole: once is enough.
      ...(index === 0 && warnings.length > 0 && { notes: warnings }),
    };
  });
}
