/**
 * Every path of the Cloud Foundry contract, in one place.
 *
 * One host directory is bind-mounted at `/tmp`, so that app, deps, cache, HOME and TMPDIR are on one *mount*:
 * buildpacks rename(2) between them, and a rename across two bind mounts of one file system fails
 * (buildpack-contracts.md 3.8, 6.1). `/home/vcap` and `/app` are links into it.
 */
import { join } from 'node:path';

/** Paths inside the sandbox. Constant, since shebangs and .pc files carry them into the cache. */
export const INSIDE = {
  tmp: '/tmp',
  app: '/tmp/app',
  cache: '/tmp/cache',
  contents: '/tmp/contents',
  deps: '/tmp/contents/deps',
  profileD: '/tmp/contents/profile.d',
  buildpacks: '/tmp/buildpacks',
  /** One file per config var (Heroku family). */
  envDir: '/tmp/env',
  home: '/home/vcap',
  /** CA bundle and our other read-only files. */
  platform: '/etc/stager',
} as const;

/** Host paths of one workspace. */
export interface Workspace {
  /** The workspace's own directory; holds `tmp` and `platform`. Its claim is beside it. */
  readonly root: string;
  /** Host directory that is `/tmp` inside: the only writable one. */
  readonly tmp: string;
  readonly app: string;
  readonly cache: string;
  readonly contents: string;
  readonly deps: string;
  readonly profileD: string;
  readonly buildpacks: string;
  readonly envDir: string;
  readonly home: string;
  /** Host directory that is `/etc/stager` inside, read-only. */
  readonly platform: string;
}

/** The host paths of a workspace at `root`. Makes nothing. */
export function workspaceAt(root: string): Workspace {
  const tmp = join(root, 'tmp');
  const contents = join(tmp, 'contents');
  return {
    root,
    tmp,
    app: join(tmp, 'app'),
    cache: join(tmp, 'cache'),
    contents,
    deps: join(contents, 'deps'),
    profileD: join(contents, 'profile.d'),
    buildpacks: join(tmp, 'buildpacks'),
    envDir: join(tmp, 'env'),
    home: join(tmp, 'home'),
    platform: join(root, 'platform'),
  };
}
