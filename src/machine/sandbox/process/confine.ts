/** What a process gives up between fork and exec, as a list of system calls. */
import type { Owner } from '../../host/owner.ts';
import type { Grants } from '../kernel/grants.ts';
import { StartList, words } from '../kernel/start-list.ts';
import type { StarterArch } from '../kernel/starter.ts';
import type { SandboxSpec } from '../port/sandbox.ts';
import { filterProgram } from './filter.ts';
import { addRuleset, type LandlockVersion, restrict, SYSTEM_TREES, type Trees } from './landlock.ts';

/** How much can be given up here. */
export interface Confinement {
  readonly arch: StarterArch;
  /** Undefined: the caller's own user is kept, who has no right to another. */
  readonly user: Owner | undefined;
  readonly landlock: LandlockVersion;
  readonly grants: Grants;
}

/** One command, with paths of the host. */
export interface ConfinedCommand {
  readonly spec: SandboxSpec;
  /** Read, beside the system. */
  readonly readable: readonly string[];
  readonly writable: readonly string[];
  /** What the run's processes are found by (mark.ts). */
  readonly mark: number;
  /** Processes and threads of the user that are there already and none of the run's. */
  readonly others: number;
}

const FD_STATUS = 3;
const [F_SETFD, FD_CLOEXEC] = [2, 1] as const;
const [AT_FDCWD, O_WRONLY] = [-100, 1] as const;
const PR = {
  deathSignal: 1,
  dropBounding: 24,
  noNewPrivileges: 38,
  ambient: 47,
} as const;
const AMBIENT_CLEAR_ALL = 4;
const SIGKILL = 9;
/** Capabilities that a kernel may have; those that it lacks answer EINVAL. */
const CAPABILITIES = 64;
const CAPABILITY_VERSION_3 = 0x2008_0522;
const SECCOMP_SET_MODE_FILTER = 1;
const RLIMIT = { fileSize: 1, core: 4, processes: 6, openFiles: 7, realTime: 15 } as const;
const OOM_SCORE = '500';
/** The first descriptor that is free for a moment. */
const FD_FREE = 4;

/** The whole list, exec included. */
export function confine(how: Confinement, command: ConfinedCommand): StartList {
  const { spec } = command;
  const list = new StartList(how.arch);
  list.must('keeping its status to itself', 'fcntl', FD_STATUS, F_SETFD, FD_CLOEXEC);
  list.may('close_range', FD_FREE, 0xffff_ffff, 0);
  list.may('openat', AT_FDCWD, '/proc/self/oom_score_adj', O_WRONLY, 0);
  list.may('write', FD_FREE, OOM_SCORE, OOM_SCORE.length);
  list.may('close', FD_FREE);
  limit(list, how, command);
  addRuleset(list, how.landlock, treesOf(command));
  dropRights(list, how.user);
  restrict(list, how.landlock);
  list.may('umask', 0o022);
  list.must(CWD, 'chdir', spec.cwd);
  filter(list, how.arch, spec);
  const env = Object.entries(spec.env).map(([name, value]) => `${name}=${value}`);
  list.must(EXEC, 'execve', spec.argv[0], list.texts(spec.argv), list.texts(env));
  return list;
}

/** Names of entries that fail through the command's own fault. */
export const EXEC = 'exec';
export const CWD = 'the working directory';

/** A list that ends every process of a user at once: the kernel finds them all, however fast they fork. */
export function endAllOf(arch: StarterArch, user: Owner): StartList {
  const list = new StartList(arch);
  become(list, user);
  list.may('kill', -1, SIGKILL);
  list.may('exit_group', 0);
  return list;
}

/** A list that succeeds where Landlock has this version, and the user is available. */
export function probeList(how: Pick<Confinement, 'arch' | 'user' | 'landlock'>): StartList {
  const list = new StartList(how.arch);
  list.must('keeping its status to itself', 'fcntl', FD_STATUS, F_SETFD, FD_CLOEXEC);
  addRuleset(list, how.landlock, { read: [], write: [], devices: [] });
  dropRights(list, how.user);
  restrict(list, how.landlock);
  filter(list, how.arch, { network: 'host' });
  list.may('exit_group', 0);
  return list;
}

function treesOf({ readable, writable }: ConfinedCommand): Trees {
  return { read: [...SYSTEM_TREES.read, ...readable], write: writable, devices: SYSTEM_TREES.devices };
}

function limit(list: StartList, { grants }: Confinement, { spec, mark, others }: ConfinedCommand): void {
  const { limits } = spec;
  const set = (resource: number, value: number, what?: string): void => {
    const args = [0, resource, words([value, value]), 0] as const;
    if (what === undefined) list.may('prlimit64', ...args);
    else list.must(what, 'prlimit64', ...args);
  };
  set(RLIMIT.realTime, mark, 'marking its processes');
  set(RLIMIT.core, 0, 'no core dumps');
  set(RLIMIT.openFiles, Math.min(limits.openFiles, grants.openFiles), 'the limit on open files');
  set(RLIMIT.fileSize, Math.min(limits.diskBytes, grants.fileSize), 'the limit on the size of a file');
  // Counted for each user, so those that others of the same user have are granted on top.
  set(RLIMIT.processes, Math.min(limits.pids + others, grants.processes), 'the limit on processes');
}

/** No capability, no other user, no way back. */
function dropRights(list: StartList, user: Owner | undefined): void {
  for (let capability = 0; capability < CAPABILITIES; capability += 1)
    list.may('prctl', PR.dropBounding, capability, 0, 0, 0);
  list.may('prctl', PR.ambient, AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (user !== undefined) become(list, user);
  const header = Buffer.alloc(8);
  header.writeUInt32LE(CAPABILITY_VERSION_3, 0);
  list.must('giving up capabilities', 'capset', header, Buffer.alloc(24));
  list.must('no_new_privs', 'prctl', PR.noNewPrivileges, 1, 0, 0, 0);
  // The kernel forgets it when the user changes, so it is asked for after that.
  list.may('prctl', PR.deathSignal, SIGKILL, 0, 0, 0);
}

function become(list: StartList, { uid, gid }: Owner): void {
  list.must('no other groups', 'setgroups', 0, 0);
  list.must(`becoming group ${gid}`, 'setresgid', gid, gid, gid);
  list.must(`becoming user ${uid}`, 'setresuid', uid, uid, uid);
}

/** struct sock_fprog: how many instructions, and where. */
function filter(list: StartList, arch: StarterArch, { network }: Pick<SandboxSpec, 'network'>): void {
  const program = filterProgram(arch, { network });
  const pointer = Buffer.alloc(16);
  pointer.writeUInt16LE(program.length / 8, 0);
  pointer.writeBigUInt64LE(BigInt(list.place(program).address), 8);
  list.must('the filter of system calls', 'seccomp', SECCOMP_SET_MODE_FILTER, 0, pointer);
}
