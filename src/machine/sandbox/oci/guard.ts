/**
 * Ties a runtime, and all that it starts, to the life of this process, and gives it what only a namespace of one's
 * own gives.
 *
 * The runtime is the first process of a pid namespace whose maker the kernel kills when this process ends, however
 * it ends (PR_SET_PDEATHSIG); and with its first process every process of a pid namespace ends, those of name
 * spaces below included. Nothing has to be alive to do it, and no script can prevent it. util-linux has the programs.
 */

import type { ChildProcess } from 'node:child_process';
import { readdir, readlink, writeFile } from 'node:fs/promises';
import { Duplex } from 'node:stream';
import { execa } from 'execa';
import { StagerError } from '../../../words/errors.ts';
import { quotedWord } from '../../../words/shell.ts';
import type { IdMappings } from '../kernel/ids.ts';
import { readOrNothing } from '../kernel/processes.ts';
import { firstExecutable, SYSTEM_DIRECTORIES } from '../kernel/programs.ts';
import { keepCounts, OPEN_COUNTS } from '../kernel/user-scope.ts';
import { VOLUME_POINT } from '../volume/unmount.ts';
import { OOM_SCORE } from './config.ts';

/** The programs that a guard is made of: absolute paths. */
export interface GuardPlan {
  readonly setpriv: string;
  readonly unshare: string;
  readonly nsenter: string;
}

/** What a guard does besides. */
export interface GuardWish {
  /** Ids of a user namespace that is made first; absent: none is, which needs root. */
  readonly around?: IdMappings;
  /** Hide cgroups from crun, which refuses a machine with both versions: all where none is used, else those of v2. */
  readonly hide?: keyof typeof HIDE;
  /** Mount points of cgroup hierarchies that the runtime is not to join. */
  readonly idle?: readonly string[];
  /** Network namespace to enter first, and the user namespace that owns it; then there is none to make. */
  readonly network?: { readonly net: string; readonly user?: string };
  /** Mount points of volumes that the command works in; absent: no volume can be mounted here. */
  readonly volumes?: readonly string[];
  /** The guard is in a scope of its own: a file for what the kernel counted in it. */
  readonly countsFile?: string;
  /** What unshare says of itself; the command's own stderr is the script's. */
  readonly logFile: string;
}

/** Looks for the programs; whether they can do it is found by trying. */
export async function planGuard(
  directories: readonly string[] = SYSTEM_DIRECTORIES,
): Promise<GuardPlan | undefined> {
  const [setpriv, unshare, nsenter] = await Promise.all(
    ['setpriv', 'unshare', 'nsenter'].map((name) => firstExecutable(name, directories)),
  );
  if (setpriv === undefined || unshare === undefined || nsenter === undefined) return undefined;
  return { setpriv, unshare, nsenter };
}

/** Waits on descriptor 3 for the ids of its user namespace; without them, or when we are gone, nothing is run. */
const WAIT_FOR_IDS = 'echo ready >&3; read -r go <&3 && [ "$go" = go ] && exec "$@" 3<&-';
/** We may have died before the signal was asked for: then somebody else is the parent. */
const CHECK_PARENT = '[ "$PPID" = "$1" ] || exit 1; exec 4>&2 2>"$2"; shift 2; exec "$@"';
const HIDE = {
  none: '',
  all: 'mount -t tmpfs none /sys/fs/cgroup; ',
  v2: 'umount /sys/fs/cgroup/unified; ',
  // Else runc would make a cgroup beside the scope, and the command were in that.
  writing: 'mount -o remount,bind,ro,nosuid,nodev,noexec /sys/fs/cgroup || exit 1; ',
} as const;
/** Who is root sets a score that nobody below can lower, since the kernel keeps it as the least one. */
const SCORE = `echo ${OOM_SCORE} >/proc/self/oom_score_adj; `;
const RUN = 'exec 2>&4 4>&-; exec "$@"';
/** What the shells call themselves. */
const NAME = 'stager-guard';

/** Descriptor on which {@link mapIds} talks to a guard that makes a user namespace. */
export const GUARD_FD = 3;

/** The program and arguments that run `command` inside a guard. */
export function guarded(
  plan: GuardPlan,
  command: readonly string[],
  wish: GuardWish,
): readonly [string, ...string[]] {
  const volumes = wish.volumes === undefined ? '' : dropVolumes(wish.volumes);
  const counts = wish.countsFile === undefined ? '' : OPEN_COUNTS;
  const last = wish.countsFile === undefined ? RUN : keepCounts(wish.countsFile);
  const idle = wish.idle === undefined || wish.idle.length === 0 ? '' : dropMounts(wish.idle);
  const script = `${volumes}${counts}${HIDE[wish.hide ?? 'none']}${idle}${SCORE}${last}`;
  const run = ['/bin/sh', '-c', script, NAME, ...command];
  const spaces = ['--pid', '--fork', '--kill-child', '--mount', '--mount-proc'];
  const tied = [plan.setpriv, '--pdeathsig', 'KILL', '/bin/sh', '-c', CHECK_PARENT, NAME] as const;
  const check = [String(process.pid), wish.logFile];
  const inside = [...tied, ...check, plan.unshare, ...spaces, '--', ...run] as const;
  if (wish.around !== undefined) {
    // The signal is asked for after that: the kernel forgets it when a process gains capabilities.
    return [plan.unshare, '--user', '/bin/sh', '-c', WAIT_FOR_IDS, NAME, ...inside];
  }
  if (wish.network === undefined) return [...inside];
  const { net, user } = wish.network;
  const owner = user === undefined ? [] : ['--preserve-credentials', `--user=${user}`];
  return [plan.nsenter, ...owner, `--net=${net}`, '--', ...inside];
}

/**
 * Drops the copies of workspaces' file systems that the guard's mount namespace was born with, those in `keep` apart:
 * who has one mounted here keeps it, with its loop device, when its owner has long unmounted it.
 */
function dropVolumes(keep: readonly string[]): string {
  const kept = keep.map(quotedWord).join('|');
  const others = kept === '' ? '' : `${kept}) ;; `;
  return `grep -Eo '${VOLUME_POINT}' /proc/self/mounts | while read -r at kind; do at=$(printf %b "$at"); case $at in ${others}*) umount -l "$at";; esac; done; `;
}

const dropMounts = (points: readonly string[]): string => `umount -l ${points.map(quotedWord).join(' ')}; `;

/**
 * Gives the guard's user namespace its ids.
 *
 * @throws StagerError SANDBOX_FAILED with what newuidmap said.
 */
export async function mapIds(child: ChildProcess, around: IdMappings): Promise<void> {
  const pipe: unknown = child.stdio[GUARD_FD];
  if (!(pipe instanceof Duplex)) throw new Error('unreachable: the guard was started without its pipe');
  // A guard that dies first is told by its end, not by this pipe.
  pipe.on('error', () => undefined);
  if (!(await saysReady(pipe)) || child.pid === undefined) return;
  try {
    await writeMaps(child.pid, around);
    pipe.end('go\n');
  } catch (error) {
    pipe.end();
    throw error;
  }
}

async function saysReady(pipe: Duplex): Promise<boolean> {
  return await new Promise((resolve) => {
    pipe.once('data', () => resolve(true));
    pipe.once('close', () => resolve(false));
  });
}

async function writeMaps(pid: number, { uid, gid }: IdMappings): Promise<void> {
  const lines = (ranges: IdMappings['uid']): string =>
    ranges.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('');
  if (uid.length === 1 && gid.length === 1) {
    // One's own id needs no helper.
    await writeFile(`/proc/${pid}/setgroups`, 'deny');
    await writeFile(`/proc/${pid}/uid_map`, lines(uid));
    await writeFile(`/proc/${pid}/gid_map`, lines(gid));
    return;
  }
  for (const [helper, ranges] of [
    ['newuidmap', uid],
    ['newgidmap', gid],
  ] as const) {
    const numbers = ranges.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size]);
    const ran = await execa(helper, [String(pid), ...numbers.map(String)], {
      reject: false,
      stdin: 'ignore',
    });
    if (ran.failed) {
      throw new StagerError('SANDBOX_FAILED', `${helper} failed: ${ran.stderr || ran.shortMessage}`, {
        next: "Give this user's subordinate ids in /etc/subuid and /etc/subgid; see `stager doctor`.",
      });
    }
  }
}

/**
 * Host pid of a container's first process.
 *
 * @param ancestor one of our processes that it descends from
 * @param runtimePid its pid as the runtime, which may be in a pid namespace of a guard, has told it
 */
export async function containerInit(ancestor: number, runtimePid: number): Promise<number | undefined> {
  for (let level = [ancestor]; level.length > 0; ) {
    const children = (await Promise.all(level.map(childrenOfAllThreads))).flat();
    for (const pid of children) {
      const [own, inRuntimes] = (await namespacePidsOf(pid)).toReversed();
      if (own === 1 && inRuntimes === runtimePid) return pid;
    }
    level = children;
  }
  return undefined;
}

/** Pids of a process from the outermost namespace that can be seen to its own. */
async function namespacePidsOf(pid: number): Promise<number[]> {
  const status = (await readOrNothing(`/proc/${pid}/status`)) ?? '';
  const pids = /^NSpid:\s+(.+)$/m.exec(status)?.[1] ?? '';
  return pids.split(/\s+/).filter(Boolean).map(Number);
}

/** Go programs start children from any of their threads. */
async function childrenOfAllThreads(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const texts = await Promise.all(
    threads.map((thread) => readOrNothing(`/proc/${pid}/task/${thread}/children`)),
  );
  return texts.flatMap((text) => (text ?? '').split(' ').filter(Boolean).map(Number));
}

/** Never a process of our own namespace, should its pid have been used again. */
export async function isContained(pid: number): Promise<boolean> {
  const [its, ours] = await Promise.all(
    [`/proc/${pid}/ns/pid`, '/proc/self/ns/pid'].map((path) => readlink(path).catch(() => undefined)),
  );
  return its !== undefined && its !== ours;
}
