/**
 * A scope of the caller's own service manager (`systemd --user`), with limits of its own, for each container of an
 * ordinary user. It is what holds memory, processes and cpu where such a user may not make a cgroup: the manager has some.
 */

import { access, constants, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { quotedWord } from '../../../words/shell.ts';
import type { SandboxLimits } from '../port/sandbox.ts';
import type { Controller } from './cgroups.ts';
import { readOrNothing } from './processes.ts';
import { firstExecutable, SYSTEM_DIRECTORIES } from './programs.ts';

/** How scopes are asked for. */
export interface ScopePlan {
  /** Absolute path of systemd-run. */
  readonly program: string;
  /** What its manager may limit with. */
  readonly controllers: readonly Controller[];
  /** Directory with the manager's socket. */
  readonly runtimeDir: string;
  /** From version 253 on the manager ends a scope in which the kernel killed something, unless told otherwise. */
  readonly hasOomPolicy: boolean;
}

/** Where to look; tests point it at a made-up machine. */
export interface ScopeSource {
  readonly uid: number;
  /** Where version 2 of cgroups is mounted. */
  readonly mountPoint: string;
  readonly runtimeDirs: string;
  readonly programs: readonly string[];
}

const PATIENCE_MS = 10_000;
/** The runtime and the guard are in the scope with the command. */
const OVERHEAD = { bytes: 64 * 1024 * 1024, tasks: 64 } as const;

/** The plan, or why there are no scopes. */
export async function planScope(
  mountPoint: string,
  source?: Partial<ScopeSource>,
): Promise<ScopePlan | { readonly why: string }> {
  const uid = source?.uid ?? process.getuid?.() ?? 0;
  if (uid === 0) return { why: 'root has no service manager of its own' };
  const program = await firstExecutable('systemd-run', source?.programs ?? SYSTEM_DIRECTORIES);
  if (program === undefined) return { why: 'systemd-run is not installed' };
  const runtimeDir = join(source?.runtimeDirs ?? '/run/user', String(uid));
  const hasManager = await access(join(runtimeDir, 'systemd', 'private'), constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!hasManager) return { why: `user ${uid} has no service manager running (loginctl enable-linger)` };
  const slice = join(mountPoint, 'user.slice', `user-${uid}.slice`, `user@${uid}.service`);
  const offered = (await readOrNothing(join(slice, 'cgroup.controllers')))?.trim().split(/\s+/) ?? [];
  const controllers = SCOPED.filter((name) => offered.includes(name));
  if (controllers.length === 0) return { why: `no controllers are delegated to ${slice}` };
  const said = await execa(program, ['--version'], {
    reject: false,
    stdin: 'ignore',
    timeout: PATIENCE_MS,
  });
  const version = Number(/^systemd (\d+)/.exec(said.stdout)?.[1] ?? 0);
  return { program, controllers, runtimeDir, hasOomPolicy: version >= 253 };
}

const SCOPED = ['memory', 'pids', 'cpu'] as const;

/** `command` in a scope called `id`; it is the same process. */
export function scoped(
  plan: ScopePlan,
  {
    id,
    limits,
    command,
  }: { readonly id: string; readonly limits: SandboxLimits; readonly command: readonly string[] },
): readonly [string, ...string[]] {
  const properties = [
    `MemoryMax=${limits.memoryBytes + OVERHEAD.bytes}`,
    'MemorySwapMax=0',
    `TasksMax=${limits.pids + OVERHEAD.tasks}`,
    ...(limits.cpuShares === undefined ? [] : [`CPUWeight=${weightOf(limits.cpuShares)}`]),
    ...(plan.hasOomPolicy ? ['OOMPolicy=continue'] : []),
  ];
  const options = ['--user', '--scope', '--quiet', '--collect', `--unit=${id}`];
  return [plan.program, ...options, ...properties.flatMap((each) => ['-p', each]), '--', ...command];
}

/** By what systemd-run finds the manager. */
export const scopeEnvironment = (plan: ScopePlan): Readonly<Record<string, string>> => ({
  XDG_RUNTIME_DIR: plan.runtimeDir,
});

/** Shares of version 1 (2 to 262144, 1024 for nothing special) as a weight of version 2 (1 to 10000), as runtimes do. */
function weightOf(shares: number): number {
  const within = Math.min(Math.max(shares, 2), 262_144);
  return 1 + Math.floor(((within - 2) * 9_999) / 262_142);
}

/** A shell's words before the command: opens what the kernel has counted in the scope, which ends with the last process. */
export const OPEN_COUNTS =
  'at=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup); for n in 5 6; do [ $n = 5 ] && f=memory.events || f=memory.peak; [ -r "$at/$f" ] && eval "exec $n<\\"\\$at/\\$f\\"" || eval "exec $n</dev/null"; done; ';

/** A shell's words that run the command, whose stderr is descriptor 4, and write those counts to `file`. */
export const keepCounts = (file: string): string =>
  `"$@" 2>&4 4>&- 5<&- 6<&-; s=$?; { cat <&6; cat <&5; } >${quotedWord(file)}; exit $s`;

/** What {@link keepCounts} wrote. */
export async function countsOf(
  file: string,
): Promise<{ readonly peakBytes?: number; readonly oomKills: number }> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const peakBytes = Number(/^(\d+)$/m.exec(text)?.[1] ?? Number.NaN);
  const kills = Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  return { oomKills: kills, ...(Number.isFinite(peakBytes) && { peakBytes }) };
}
