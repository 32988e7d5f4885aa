/** Bundles: `--record-dependencies` writes one after a staging, `--offline` stages from one. */

import { arch } from 'node:process';
import { ownedDirectory } from '../../machine/host/owner.ts';
import { StagerError } from '../../words/errors.ts';
import type { BuildpackRecord, DependencyRecord } from '../../words/staging-record.ts';
import { formatBytes, MEBIBYTE } from '../../words/units.ts';
import { type Bundle, prepareBundle, readBundle, unpackBundle, writeBundle } from '../build-cache/bundle.ts';
import { mirrorsOf } from '../build-cache/mirror-names.ts';
import type { Workspace } from '../workspace/layout.ts';
import { replacedPart } from '../workspace/own.ts';
import type { Staging } from './staging.ts';

/**
 * Before anything else: the place for a bundle can be written to, or the bundle is there and fits.
 *
 * @throws StagerError BUNDLE_INVALID, CONFIG_INVALID.
 */
export async function openBundle(staging: Staging): Promise<void> {
  const { bundle, stack } = staging.request;
  if (bundle?.mode === 'record') await prepareBundle(bundle.dir);
  if (bundle?.mode !== 'offline') return;
  const found = await readBundle(bundle.dir);
  if (found.stack !== stack || found.arch !== arch) {
    throw new StagerError(
      'BUNDLE_INVALID',
      `the bundle ${bundle.dir} is for stack ${found.stack} on ${found.arch}, not for ${stack} on ${arch}`,
      {
        next: 'Record it with this stack on a machine of this kind: what was fetched depends on both.',
        details: { directory: bundle.dir, stack: found.stack, arch: found.arch },
      },
    );
  }
  staging.bundle = found;
}

/** What scripts are told of it, over the app's own variables: caches are ordered by the addresses of registries. */
export function bundleVariables({ request, bundle }: Staging): Readonly<Record<string, string>> {
  if (request.bundle === undefined) return {};
  return { ...bundle?.variables, STAGER_DEPENDENCIES: request.bundle.mode };
}

/**
 * Fills the workspace's cache from the bundle that the staging was given; false when it was given none.
 *
 * @throws StagerError BUNDLE_INVALID when it is damaged.
 */
export async function restoreBundle(
  staging: Staging,
  { workspace, used }: { readonly workspace: Workspace; readonly used: readonly { readonly key: string }[] },
): Promise<boolean> {
  const { bundle, ports, request, signal, phases } = staging;
  if (bundle === undefined || request.bundle === undefined) return false;
  const { dir } = request.bundle;
  const [had, has] = [bundle.buildpacks.map(({ key }) => key), used.map(({ key }) => key)];
  if (had.join('\n') !== has.join('\n')) {
    const message = `the bundle ${dir} was recorded with ${had.join(', ')}, and this staging uses ${has.join(', ')}: what they fetch may not be in it`;
    staging.warn('bundle-of-others', message);
  }
  const { owner } = ports.sandbox;
  const limits = { bytes: request.diskMb * MEBIBYTE };
  await phases.run(
    { name: 'restore-cache' },
    () => unpackBundle(dir, bundle, { cache: workspace.cache, signal, owner, limits }),
    () => `the bundle ${dir}, ${bundle.dependencies.length} dependencies`,
  );
  await ownedDirectory(workspace.cache, owner);
  return true;
}

/**
 * Writes the bundle of a staging that worked, where one is asked for.
 *
 * @throws StagerError of `writeBundle`.
 */
export async function saveBundle(
  staging: Staging,
  {
    workspace,
    buildpacks,
    dependencies,
  }: {
    readonly workspace: Workspace;
    readonly buildpacks: readonly BuildpackRecord[];
    readonly dependencies: readonly DependencyRecord[];
  },
): Promise<void> {
  const { request, signal, phases } = staging;
  if (request.bundle?.mode !== 'record') return;
  const { dir } = request.bundle;
  if ((await replacedPart(workspace, workspace.cache)) !== undefined) {
    throw new StagerError('BUNDLE_INVALID', 'a script replaced the build cache with something else', {
      next: 'Nothing can be recorded with this buildpack.',
    });
  }
  const facts = {
    app: request.app.name,
    stack: request.stack,
    arch,
    buildpacks: buildpacks.map(({ key, version, sha256 }) => ({
      key,
      ...(version !== undefined && { version }),
      sha256,
    })),
    variables: mirrorsOf({ ...staging.envDefaults, ...request.env }),
    dependencies: dependencies.map(({ name, version, uri, checksum }) => ({ name, version, uri, checksum })),
  };
  await phases.run(
    { name: 'save-cache' },
    () => writeBundle(dir, { cache: workspace.cache, facts }, { signal }),
    (bundle: Bundle) =>
      `bundle ${dir}: ${bundle.dependencies.length} dependencies, ${formatBytes(bundle.sizeBytes)}`,
  );
}
