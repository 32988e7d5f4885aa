/**
 * Where a droplet is while it runs: one host directory for each run, of which `home` is `/home/vcap` and `tmp`
 * is `/tmp` inside. Both are under one root, so that one disk limit holds for the two.
 */
import { chmod, lchown, lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Owner } from '../../machine/host/owner.ts';
import type { Mount } from '../../machine/sandbox/port/sandbox.ts';
import { errnoOf, StagerError } from '../../words/errors.ts';

/** Paths inside the sandbox: what `/home/vcap/…` paths in a droplet were written for. */
export const RUN_INSIDE = {
  home: '/home/vcap',
  app: '/home/vcap/app',
  deps: '/home/vcap/deps',
  profileD: '/home/vcap/profile.d',
  tmp: '/home/vcap/tmp',
} as const;

/** Links in the sandbox's root: old buildpacks expect the app at `/app`. */
export const RUN_LINKS = { '/app': RUN_INSIDE.app } as const;

/** Host paths of one run. */
export interface RunDirs {
  readonly root: string;
  /** The droplet is unpacked here, owned by the sandbox's owner. */
  readonly home: string;
  /** Private `/tmp`. */
  readonly tmp: string;
}

/** The host paths of a run at `root`. Makes nothing. */
export function runDirsAt(root: string): RunDirs {
  return { root, home: join(root, 'home'), tmp: join(root, 'tmp') };
}

/** What the sandbox sees of a run. */
export function runMounts(dirs: RunDirs): readonly Mount[] {
  return [
    { source: dirs.home, target: RUN_INSIDE.home, writable: true },
    { source: dirs.tmp, target: '/tmp', writable: true },
  ];
}

/**
 * Makes what a droplet may lack (`tmp`, `logs`, `deps`, the private `/tmp`) and gives it to `owner`. What the
 * droplet holds is not touched, so a link that it put in such a place leads nowhere for us.
 *
 * @throws StagerError DROPLET_INVALID when the droplet has no app directory.
 */
export async function prepareRun(dirs: RunDirs, owner: Owner): Promise<void> {
  await demandApp(dirs.home);
  for (const name of ['tmp', 'logs', 'deps']) await makeFor(owner, join(dirs.home, name), 0o755);
  await makeFor(owner, dirs.tmp, 0o1777);
}

/**
 * Looks that an unpacked droplet is one of the buildpack lifecycle.
 *
 * @throws StagerError DROPLET_INVALID when it has no app directory.
 */
export async function demandApp(home: string): Promise<void> {
  const app = await lstatOrNone(join(home, 'app'));
  if (app?.isDirectory() === true) return;
  throw new StagerError('DROPLET_INVALID', 'the droplet has no directory ./app', {
    next: 'Give a droplet made by the buildpack lifecycle of stager or Cloud Foundry, not an app, a package or a droplet of Cloud Native Buildpacks.',
    details: { path: join(home, 'app') },
  });
}

async function makeFor(owner: Owner, path: string, mode: number): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    throw error;
  }
  await chmod(path, mode);
  await lchown(path, owner.uid, owner.gid);
}

async function lstatOrNone(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
