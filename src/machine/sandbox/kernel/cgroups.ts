/**
 * Which cgroups limit a sandbox here, and where they are.
 *
 * A sandbox's cgroup is made below this process's own one where the kernel allows it (v1), so that limits set on
 * the stager hold for what it runs; on v2 beside it, since a v2 cgroup with processes can't have limited children
 * (cgroups(7), "no internal processes"). A machine with v1 controllers and a v2 mount besides is "hybrid": limits
 * then come from v1.
 */
import { access, constants, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pause } from '../../../words/retry.ts';
import { hasDynamicMoves } from './dynamic-moves.ts';
import { type MountInfo, parseMountInfo } from './mountinfo.ts';
import { readOrNothing, send } from './processes.ts';
import { planScope, type ScopePlan } from './user-scope.ts';

/** What we limit with. */
export const CONTROLLERS = ['memory', 'pids', 'cpu'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** How this machine's cgroups are set up and which of them can be used. */
export interface CgroupPlan {
  readonly mode: 'v1' | 'v2' | 'hybrid' | 'none';
  /** Host directory in which a sandbox's cgroup of that controller is made. */
  readonly parents: Readonly<Partial<Record<Controller, string>>>;
  /** Every directory in which a runtime makes a cgroup, those of controllers that we set no limit with included. */
  readonly everywhere: readonly string[];
  /**
   * Mount points of hierarchies that a runtime joins without need: nothing is limited in them, and joining one can take
   * seconds beside a fork bomb (dynamic-moves.ts).
   */
  readonly idle: readonly string[];
  /** What goes before the sandbox's id in `linux.cgroupsPath`; undefined when no cgroup can be made. */
  readonly pathPrefix?: string;
  /** Where this user may not make one: scopes that the user's service manager makes. */
  readonly scope?: ScopePlan;
  /** Whether swap can be limited too. */
  readonly swap: boolean;
  /** Why a controller can't be used. */
  readonly reasons: Readonly<Partial<Record<Controller, string>>>;
}

/** Where to look; tests point it at a made-up machine. */
export interface CgroupSource {
  readonly mountInfo: string;
  readonly ownCgroup: string;
}

/** Looks at this machine. On v2 it turns on the controllers in the chosen parent. */
export async function planCgroups(source?: CgroupSource): Promise<CgroupPlan> {
  const { mountInfo, ownCgroup } = source ?? {
    mountInfo: await readFile('/proc/self/mountinfo', 'utf8'),
    ownCgroup: await readFile('/proc/self/cgroup', 'utf8'),
  };
  const mounts = parseMountInfo(mountInfo);
  const v1 = mounts.filter((mount) => mount.type === 'cgroup');
  const v2 = mounts.find((mount) => mount.type === 'cgroup2');
  const limitsByV1 = v1.some((mount) => CONTROLLERS.some((name) => mount.superOptions.includes(name)));
  if (limitsByV1) {
    const all = v2 === undefined ? v1 : [...v1, v2];
    return await planV1(all, ownCgroup, v2 === undefined ? 'v1' : 'hybrid');
  }
  if (v2 !== undefined) return await withScope(await planV2(v2, ownCgroup), v2);
  return {
    mode: 'none',
    parents: {},
    everywhere: [],
    idle: [],
    swap: false,
    reasons: forAll('no cgroup file system is mounted'),
  };
}

/** Is the limit of this controller the kernel's? */
export function isHeld(plan: CgroupPlan, name: Controller): boolean {
  return plan.parents[name] !== undefined || plan.scope?.controllers.includes(name) === true;
}

async function withScope(plan: CgroupPlan, { mountPoint }: MountInfo): Promise<CgroupPlan> {
  if (plan.pathPrefix !== undefined || process.getuid?.() === 0) return plan;
  const scope = await planScope(mountPoint);
  if (!('why' in scope))
    return { ...plan, scope, reasons: forAll('not delegated to the user service manager') };
  const reasons = Object.entries(plan.reasons).map(([name, why]) => [name, `${why}; ${scope.why}`] as const);
  return { ...plan, reasons: Object.fromEntries(reasons) };
}

async function planV1(mounts: readonly MountInfo[], own: string, mode: 'v1' | 'hybrid'): Promise<CgroupPlan> {
  const parents: Partial<Record<Controller, string>> = {};
  const reasons: Partial<Record<Controller, string>> = {};
  for (const name of CONTROLLERS) {
    const mount = mounts.find((each) => each.type === 'cgroup' && each.superOptions.includes(name));
    const path = ownPaths(own).find((each) => each.controllers.includes(name))?.path;
    if (mount === undefined || path === undefined) reasons[name] = `the ${name} controller is not mounted`;
    else {
      const directory = below(mount, path);
      if (await isWritable(directory)) parents[name] = directory;
      else reasons[name] = `${directory} can't be written by this user`;
    }
  }
  if (Object.keys(parents).length === 0)
    return { mode, parents, everywhere: [], idle: [], swap: false, reasons };
  const swap =
    parents.memory !== undefined &&
    (await readOrNothing(join(parents.memory, 'memory.memsw.usage_in_bytes'))) !== undefined;
  // A relative path is taken as below the caller's own cgroup, for each controller its own.
  const everywhere = mounts.flatMap((mount) => ownDirectory(mount, own));
  const idle = mounts.some(hasDynamicMoves) ? [] : mounts.filter(isIdle).map(({ mountPoint }) => mountPoint);
  return { mode, parents, everywhere, idle, pathPrefix: '', swap, reasons };
}

/** runc as root starts nothing where it finds no devices controller. */
const JOINED: readonly string[] = [...CONTROLLERS, 'devices'];

const isIdle = ({ superOptions }: MountInfo): boolean => !superOptions.some((name) => JOINED.includes(name));

async function planV2(mount: MountInfo, own: string): Promise<CgroupPlan> {
  const ownPath = ownPaths(own).find((each) => each.controllers.length === 0)?.path ?? '/';
  const tried: string[] = [];
  for (let path = posix.dirname(relativeTo(mount.root, ownPath)); ; path = posix.dirname(path)) {
    const directory = join(mount.mountPoint, path);
    const outcome = await enableV2(directory);
    if (Array.isArray(outcome)) {
      const parents = Object.fromEntries(outcome.map((name) => [name, directory]));
      const reasons = Object.fromEntries(
        CONTROLLERS.filter((name) => !outcome.includes(name)).map((name) => [
          name,
          `not offered by ${directory}`,
        ]),
      );
      return {
        mode: 'v2',
        parents,
        everywhere: [directory],
        idle: [],
        pathPrefix: posix.join('/', path, '/'),
        swap: true,
        reasons,
      };
    }
    tried.push(`${directory}: ${outcome}`);
    if (path === '/')
      return {
        mode: 'v2',
        parents: {},
        everywhere: [],
        idle: [],
        swap: false,
        reasons: forAll(tried.join('; ')),
      };
  }
}

/** Turns the controllers on for children of `directory`: those that are on afterwards, or why none is. */
async function enableV2(directory: string): Promise<Controller[] | string> {
  if (!(await isWritable(directory))) return "can't be written by this user";
  const control = join(directory, 'cgroup.subtree_control');
  const turnedOn = async (): Promise<string[]> => (await readOrNothing(control))?.trim().split(/\s+/) ?? [];
  const before = await turnedOn();
  for (const name of CONTROLLERS.filter((each) => !before.includes(each))) {
    // One at a time: a controller that is missing would make the others fail with it.
    await writeFile(control, `+${name}`).catch(() => undefined);
  }
  const on = await turnedOn();
  const enabled = CONTROLLERS.filter((name) => on.includes(name));
  return enabled.length > 0 ? enabled : 'its controllers are not delegated or it has processes of its own';
}

/** Host directories that the cgroups of sandbox `id` have, without duplicates. */
export function cgroupDirectories(plan: Pick<CgroupPlan, 'everywhere'>, id: string): string[] {
  return [...new Set(plan.everywhere)].map((parent) => join(parent, id));
}

/** This process's own directory in one hierarchy. */
function ownDirectory(mount: MountInfo, own: string): string[] {
  const path = ownPaths(own).find(({ controllers }) =>
    mount.type === 'cgroup2'
      ? controllers.length === 0
      : controllers.some((name) => mount.superOptions.includes(name)),
  )?.path;
  return path === undefined ? [] : [below(mount, path)];
}

/** What the memory controller has seen. */
export interface MemoryUse {
  readonly peakBytes?: number;
  /** Processes that the kernel killed since the limit was reached. */
  readonly oomKills: number;
}

/** Reads the memory cgroup of sandbox `id`, which must still exist. */
export async function memoryUse(plan: CgroupPlan, id: string): Promise<MemoryUse> {
  if (plan.parents.memory === undefined) return { oomKills: 0 };
  const directory = join(plan.parents.memory, id);
  const [peak, events] =
    plan.mode === 'v2'
      ? ['memory.peak', 'memory.events']
      : ['memory.max_usage_in_bytes', 'memory.oom_control'];
  const peakBytes = Number.parseInt((await readOrNothing(join(directory, peak))) ?? '', 10);
  const kills = /^oom_kill (\d+)$/m.exec((await readOrNothing(join(directory, events))) ?? '')?.[1];
  return { oomKills: Number(kills ?? 0), ...(Number.isFinite(peakBytes) ? { peakBytes } : {}) };
}

/** Rounds of ten milliseconds: a process that was killed leaves its cgroup when the kernel has time for it. */
const PATIENCE = 500;

/** Kills what is left in the cgroups and removes them; those that are gone are fine. */
export async function removeCgroups(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    for (let attempt = 0; attempt < PATIENCE; attempt += 1) {
      const pids = (await readOrNothing(join(directory, 'cgroup.procs')))?.split('\n').filter(Boolean) ?? [];
      for (const pid of pids) send(Number(pid), 'SIGKILL');
      if (await removed(directory)) break;
      await pause(10);
    }
  }
}

async function removed(directory: string): Promise<boolean> {
  return await rmdir(directory).then(
    () => true,
    async () => (await readdir(directory).catch(() => undefined)) === undefined,
  );
}

function ownPaths(text: string): { controllers: readonly string[]; path: string }[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, controllers = '', ...path] = line.split(':');
      return { controllers: controllers.split(',').filter(Boolean), path: path.join(':') };
    });
}

const below = (mount: MountInfo, path: string): string =>
  join(mount.mountPoint, relativeTo(mount.root, path));

/** In a container the mount shows only a part of the hierarchy: `root` is what it starts at. */
function relativeTo(root: string, path: string): string {
  const inside = posix.relative(root, path);
  return inside.startsWith('..') ? '/' : posix.join('/', inside);
}

async function isWritable(directory: string): Promise<boolean> {
  return await access(directory, constants.W_OK).then(
    () => true,
    () => false,
  );
}

const forAll = (reason: string): Record<Controller, string> => ({
  memory: reason,
  pids: reason,
  cpu: reason,
});

/** For people: `cgroup v1 (hybrid)`. */
export function describeCgroups(plan: CgroupPlan): string {
  if (plan.scope !== undefined) return 'a systemd scope for each (cgroup v2)';
  if (plan.mode === 'none' || plan.pathPrefix === undefined) return `no cgroup (${plan.mode})`;
  return plan.mode === 'hybrid' ? 'cgroup v1 (hybrid)' : `cgroup ${plan.mode}`;
}
