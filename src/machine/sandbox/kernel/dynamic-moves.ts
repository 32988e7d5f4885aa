/**
 * Whether a container's start has to wait for a fork bomb in another one.
 *
 * A process joins a cgroup under a lock of the whole machine: every fork and exit that has begun comes first. Beside a
 * thousand processes which do nothing else, and get their small share of the processor only, that takes minutes. With the
 * mount option `favordynmods` a kernel from 6.18 on locks the process that moves and no other (cgroups(7),
 * Documentation/admin-guide/cgroup-v2.rst). The option counts for all hierarchies of the machine, until it is booted again.
 */
import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { execa } from 'execa';
import { bootId } from '../../host/process-identity.ts';
import { type MountInfo, parseMountInfo } from './mountinfo.ts';

/** `off`: what could be turned on, and the command for it; `why`: it can't be had. */
export type DynamicMoves =
  | { readonly kind: 'on' }
  | { readonly kind: 'off'; readonly mountPoint: string; readonly command: readonly [string, ...string[]] }
  | { readonly kind: 'unknown'; readonly why: string };

/** Where to look; tests point it at a made-up machine. */
export interface MovesSource {
  readonly mountInfo: string;
  /** As uname(1) tells it: `6.18.44-generic`. */
  readonly kernel: string;
}

const OPTION = 'favordynmods';
/** The first kernel in which the option spares others from waiting. */
const SINCE = [6, 18] as const;

/** Looks at this machine. */
export async function dynamicMoves(source?: MovesSource): Promise<DynamicMoves> {
  const { mountInfo, kernel } = source ?? {
    mountInfo: await readFile('/proc/self/mountinfo', 'utf8'),
    kernel: release(),
  };
  const mount = parseMountInfo(mountInfo).find(({ type }) => type === 'cgroup2');
  if (mount === undefined) return { kind: 'unknown', why: 'no cgroup2 file system is mounted' };
  if (!isSince(kernel)) return { kind: 'unknown', why: `kernel ${kernel} is older than ${SINCE.join('.')}` };
  if (hasDynamicMoves(mount)) return { kind: 'on' };
  const { mountPoint } = mount;
  return { kind: 'off', mountPoint, command: ['mount', '-o', optionsOf(mount), mountPoint] };
}

/** Whether a mount says that the option is on. */
export const hasDynamicMoves = ({ superOptions }: Pick<MountInfo, 'superOptions'>): boolean =>
  superOptions.includes(OPTION);

/**
 * Turns it on where it can be had. What can't be mounted here (in a container, not as root) stays as it is, and is
 * not tried again until the next boot.
 */
export async function favorDynamicMoves(memory: {
  recall(key: string): Promise<string | undefined>;
  remember(key: string, text: string): Promise<void>;
}): Promise<void> {
  const moves = await dynamicMoves();
  if (moves.kind !== 'off' || process.getuid?.() !== 0) return;
  const key = `${bootId()}:${OPTION}`;
  if ((await memory.recall(key)) !== undefined) return;
  const [program, ...args] = moves.command;
  await execa(program, args, { reject: false, stdin: 'ignore' });
  await memory.remember(key, 'tried');
}

/** A remount takes away every option that it does not name. */
function optionsOf({ options, superOptions }: MountInfo): string {
  const kept = superOptions.filter((option) => option !== 'rw' && option !== 'ro');
  return ['remount', ...options, ...kept, OPTION].join(',');
}

function isSince(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  return major > SINCE[0] || (major === SINCE[0] && minor >= SINCE[1]);
}
