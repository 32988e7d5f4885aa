/** Pure: a {@link SandboxSpec} and what this machine offers → the config.json of an OCI bundle. */
import type { CgroupPlan } from '../kernel/cgroups.ts';
import type { Grants } from '../kernel/grants.ts';
import type { IdPlan } from '../kernel/ids.ts';
import type { Mount, SandboxSpec } from '../port/sandbox.ts';
import { type SeccompProfile, seccompProfile } from './seccomp.ts';

/** What the machine and the composed root add to a spec. */
export interface ConfigParts {
  readonly id: string;
  readonly ids: IdPlan;
  readonly cgroups: CgroupPlan;
  /** Relative to the bundle. */
  readonly rootPath: string;
  readonly binds: readonly Mount[];
  readonly hasTmp: boolean;
  /** Targets of read-only binds that have mounts of the host below them. */
  readonly recursive: ReadonlySet<string>;
  readonly terminal: boolean;
  /** The workspace is a file system of its own, which the kernel holds to its size. */
  readonly bounded: boolean;
  /** Network namespace to join instead of a new one; {@link ENTERED}: the runtime is in it. */
  readonly network?: string | typeof ENTERED;
  readonly grants: Grants;
  readonly arch: string;
}

/** The runtime was started in the network namespace that the command is to have. */
export const ENTERED = Symbol('entered');

/** In a guard the runtime is the first process, and has {@link IdPlan.space} as its fourth descriptor. */
const SPACE_PATH = '/proc/1/fd/3';

interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options?: readonly string[];
}

/** The part of the runtime specification that we write. */
export interface OciConfig {
  readonly ociVersion: string;
  readonly process: Readonly<Record<string, unknown>> & { readonly args: readonly string[] };
  readonly root: { readonly path: string; readonly readonly: true };
  readonly hostname: string;
  readonly mounts: readonly OciMount[];
  readonly linux: Readonly<Record<string, unknown>> & { readonly seccomp: SeccompProfile };
}

/**
 * The first process of a pid namespace ignores signals that it does not handle and has to reap strangers'
 * children, which programs don't expect. So it is a shell that runs the command in the foreground and waits. Its
 * own messages ("Killed") go nowhere; the command gets the caller's stderr back, and none of the shell's variables.
 */
const init = (via: string): string => `exec 3>&2 2>/dev/null; (exec ${via}"$@" 2>&3 3>&-); exit $?`;
/** Set by shells, and by runc where they are missing. */
const UNASKED = ['PWD', 'OLDPWD', 'SHLVL', 'HOME'] as const;

const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/sysrq-trigger',
  '/proc/timer_list',
  '/proc/timer_stats',
];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys'];

/** Out of memory: the foreign code dies before anything of the host. */
export const OOM_SCORE = 500;

/** The runtime's config.json for one command. Pure. */
export function ociConfig(spec: SandboxSpec, parts: ConfigParts): OciConfig {
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: parts.terminal,
      user: parts.ids.user,
      args: ['/bin/sh', '-c', initScript(spec, parts), 'stager-init', ...spec.argv],
      env: variablesOf(spec).map(([name, value]) => `${name}=${value}`),
      cwd: spec.cwd,
      capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
      noNewPrivileges: true,
      oomScoreAdj: OOM_SCORE,
      rlimits: limitsItself(parts) ? [] : rlimits(spec, parts),
    },
    root: { path: parts.rootPath, readonly: true },
    hostname: spec.hostname ?? 'stager',
    mounts: [...kernelMounts(parts), ...parts.binds.map((bind) => bindMount(bind, parts.recursive))],
    linux: {
      namespaces: namespaces(spec, parts),
      ...(parts.ids.mappings === undefined
        ? {}
        : { uidMappings: parts.ids.mappings.uid, gidMappings: parts.ids.mappings.gid }),
      ...cgroup(spec, parts),
      maskedPaths: MASKED,
      readonlyPaths: READ_ONLY,
      seccomp: seccompProfile(parts.arch),
    },
  };
}

/** A runtime that joins a user namespace which it did not make needs CAP_SYS_RESOURCE to set limits in it. */
const limitsItself = ({ ids, grants }: ConfigParts): boolean => ids.space !== undefined && !grants.others;

/** The same limits as the first process sets them for itself and all that come after; a block has 512 bytes. */
const ULIMITS: Readonly<Record<Rlimit['type'], (value: number) => string>> = {
  RLIMIT_NOFILE: (value) => `ulimit -n ${value}; `,
  RLIMIT_CORE: (value) => `ulimit -c ${value}; `,
  RLIMIT_FSIZE: (value) => `ulimit -f ${Math.ceil(value / 512)}; `,
  // bash and dash call it by different letters.
  RLIMIT_NPROC: (value) => `ulimit -u ${value} 2>/dev/null || ulimit -p ${value}; `,
};

function ulimits(spec: SandboxSpec, parts: ConfigParts): string {
  if (!limitsItself(parts)) return '';
  return rlimits(spec, parts)
    .map(({ type, hard }) => ULIMITS[type](hard))
    .join('');
}

function initScript(spec: SandboxSpec, parts: ConfigParts): string {
  const unset = UNASKED.filter((name) => !(name in spec.env));
  const carriers = oddVariables(spec).map((_, index) => `${CARRIER}${index}`);
  const via = [...carriers.map((name) => `-u ${name}`), ...carriers.map((name) => `"$${name}"`)];
  const script = init(via.length === 0 ? '' : `/usr/bin/env ${via.join(' ')} `);
  const limited = `${ulimits(spec, parts)}${script}`;
  return unset.length === 0 ? limited : `unset ${unset.join(' ')}; ${limited}`;
}

/**
 * Shells drop variables whose names they could not write (`spring.datasource.password`); env(1) hands them on. They
 * travel to it as values of our variables: arguments of a process can be read by everyone on the host.
 */
const CARRIER = 'STAGER_CARRIED_';

function variablesOf(spec: SandboxSpec): readonly (readonly [string, string])[] {
  const carried = oddVariables(spec).map(
    ([name, value], index) => [`${CARRIER}${index}`, `${name}=${value}`] as const,
  );
  return [...Object.entries(spec.env).filter(([name]) => isShellName(name)), ...carried];
}

function oddVariables({ env }: SandboxSpec): readonly (readonly [string, string])[] {
  return Object.entries(env).filter(([name]) => !isShellName(name));
}

const isShellName = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);

interface Rlimit {
  readonly type: 'RLIMIT_NOFILE' | 'RLIMIT_CORE' | 'RLIMIT_FSIZE' | 'RLIMIT_NPROC';
  readonly hard: number;
  readonly soft: number;
}

function rlimits(spec: SandboxSpec, parts: ConfigParts): readonly Rlimit[] {
  const limit = (type: Rlimit['type'], value: number): Rlimit => ({ type, hard: value, soft: value });
  const list = [
    limit('RLIMIT_NOFILE', Math.min(spec.limits.openFiles, parts.grants.openFiles)),
    limit('RLIMIT_CORE', 0),
  ];
  // The watcher sees an overrun late; this stops one file at once. Elsewhere it would only end programs that make large
  // files of nothing, as .NET does in memory, where it counts as well.
  if (!parts.bounded)
    list.push(limit('RLIMIT_FSIZE', Math.min(spec.limits.diskBytes, parts.grants.fileSize)));
  // The kernel counts processes of a user for each user namespace, so this holds only where there is one.
  const counts = parts.cgroups.parents.pids === undefined && parts.ids.mappings !== undefined;
  return counts ? [...list, limit('RLIMIT_NPROC', spec.limits.pids)] : list;
}

function kernelMounts({ hasTmp, ids }: ConfigParts): OciMount[] {
  const tty = ids.kind === 'rootless-single' || ids.kind === 'dropped' ? [] : ['gid=5'];
  const tmpfs = (destination: string, ...options: string[]): OciMount => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', ...options],
  });
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    tmpfs('/dev', 'strictatime', 'mode=755', 'size=65536k'),
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...tty],
    },
    tmpfs('/dev/shm', 'noexec', 'nodev', 'mode=1777', 'size=65536k'),
    ...(hasTmp ? [] : [tmpfs('/tmp', 'nodev', 'mode=1777', 'size=65536k')]),
  ];
}

function bindMount({ source, target, writable }: Mount, recursive: ReadonlySet<string>): OciMount {
  const mode = writable ? ['rw'] : recursive.has(target) ? ['ro', 'rro'] : ['ro'];
  return { destination: target, type: 'bind', source, options: ['rbind', 'nosuid', 'nodev', ...mode] };
}

function namespaces(
  spec: SandboxSpec,
  { ids, network }: ConfigParts,
): readonly { type: string; path?: string }[] {
  const types = ['pid', 'mount', 'ipc', 'uts', 'cgroup'];
  const user = ids.space === undefined ? { type: 'user' } : { type: 'user', path: SPACE_PATH };
  const own = [...types.map((type) => ({ type })), ...(ids.mappings === undefined ? [] : [user])];
  if (spec.network === 'host' || network === ENTERED) return own;
  return [...own, { type: 'network', ...(network === undefined ? {} : { path: network }) }];
}

function cgroup(spec: SandboxSpec, { id, cgroups }: ConfigParts): Readonly<Record<string, unknown>> {
  if (cgroups.pathPrefix === undefined) return {};
  const { memoryBytes, pids, cpuShares } = spec.limits;
  const has = cgroups.parents;
  const memory = { limit: memoryBytes, ...(cgroups.swap ? { swap: memoryBytes } : {}) };
  return {
    cgroupsPath: `${cgroups.pathPrefix}${id}`,
    resources: {
      ...(has.memory === undefined ? {} : { memory }),
      ...(has.pids === undefined ? {} : { pids: { limit: pids } }),
      ...(has.cpu === undefined || cpuShares === undefined ? {} : { cpu: { shares: cpuShares } }),
    },
  };
}
