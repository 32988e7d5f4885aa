/**
 * What a droplet holds, in the order in which it is written (buildpack-contracts.md 1.8): `./`, `./app/…`,
 * `./deps/…`, `./logs/`, `./profile.d/…`, `./staging_info.yml`, `./tmp/`.
 */
import type { Workspace } from '../workspace/layout.ts';
import type { ContentRoot } from './tar/tree-walk.ts';

/** Host directories of a droplet's parts; a {@link Workspace} is one. */
export type DropletDirectories = Pick<Workspace, 'app' | 'deps' | 'profileD'>;

/** The roots of a droplet; `stagingInfo` is the content of staging_info.yml. `deps` and `profile.d` may be absent on disk and are empty in the droplet then. */
export function dropletContents(from: DropletDirectories, stagingInfo: string): readonly ContentRoot[] {
  return [
    { kind: 'directory', archivePath: '.' },
    { kind: 'tree', hostPath: from.app, archivePath: './app' },
    { kind: 'tree', hostPath: from.deps, archivePath: './deps', optional: true },
    { kind: 'directory', archivePath: './logs' },
    { kind: 'tree', hostPath: from.profileD, archivePath: './profile.d', optional: true },
    { kind: 'file', archivePath: './staging_info.yml', content: Buffer.from(stagingInfo) },
    { kind: 'directory', archivePath: './tmp' },
  ];
}

/** The roots of a build cache: the directory itself (buildpack-contracts.md 1.8). */
export function buildCacheContents(cache: string): readonly ContentRoot[] {
  return [{ kind: 'tree', hostPath: cache, archivePath: '.' }];
}
