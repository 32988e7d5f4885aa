/** The command line of one container's runtime, and what it is made of. */
import { join } from 'node:path';
import { sha256OfBytes } from '../../../words/digest.ts';
import type { ChildCommand } from '../child/child.ts';
import type { PipeStock } from '../child/pipes.ts';
import type { CgroupPlan } from '../kernel/cgroups.ts';
import type { Backing, DiskLedger } from '../kernel/disk-watch.ts';
import type { IdPlan } from '../kernel/ids.ts';
import { scoped, scopeEnvironment } from '../kernel/user-scope.ts';
import type { SandboxSpec } from '../port/sandbox.ts';
import { type GuardPlan, type GuardWish, guarded } from './guard.ts';
import { type OciRuntime, type RunFiles, runArguments } from './runtime.ts';

/** What a run is made of. */
export interface OciRunParts {
  readonly spec: SandboxSpec;
  readonly runtime: OciRuntime;
  readonly cgroups: CgroupPlan;
  readonly ids: IdPlan;
  readonly guard: GuardPlan | undefined;
  readonly nullDevice: string | undefined;
  /** Network namespace to enter; where a user namespace owns it, `ids` have none to make around. */
  readonly network: GuardWish['network'] | undefined;
  /** What is behind the volume that the disk root is in. */
  readonly backing: Backing | undefined;
  /** Mount points of volumes that the command works in. */
  readonly volumes: readonly string[];
  readonly stateRoot: string;
  readonly files: RunFiles;
  readonly ledger: DiskLedger;
  readonly fileBytes: number;
  readonly pipes: PipeStock;
}

/** In the bundle: what the guard says of itself, and what the kernel counted in a scope. */
export const GUARD_LOG = 'guard.log';
export const COUNTS = 'counts';
/** Where a runtime, and the shells of a guard, look for programs. */
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } as const;

/** The runtime's command line, in a guard where there is one, in a scope where that holds the limits. */
export function runtimeCommand(parts: OciRunParts): ChildCommand {
  const { runtime, stateRoot, files, guard, ids, network, cgroups, volumes, spec } = parts;
  const { around, space } = ids;
  const noCgroups = cgroups.pathPrefix === undefined;
  const bare = [runtime.path, ...runArguments(runtime, { state: stateRoot, files, noCgroups })];
  const wish = {
    logFile: join(files.bundle, GUARD_LOG),
    ...(around === undefined && { volumes }),
    // Whoever makes a user namespace can't take away mounts that are older than it.
    ...(runtime.name === 'runc' && !noCgroups && around === undefined && { idle: cgroups.idle }),
    ...(cgroups.scope !== undefined && { countsFile: join(files.bundle, COUNTS) }),
    ...(runtime.name === 'crun' && noCgroups && { hide: 'all' as const }),
    ...(runtime.name === 'crun' && cgroups.mode === 'hybrid' && !noCgroups && { hide: 'v2' as const }),
    ...(runtime.name !== 'crun' && cgroups.scope !== undefined && { hide: 'writing' as const }),
    ...(around !== undefined && { around }),
    ...(network !== undefined && { network }),
  };
  const inGuard = guard === undefined ? bare : guarded(guard, bare, wish);
  const { scope } = cgroups;
  const [program = '', ...args] =
    scope === undefined ? inGuard : scoped(scope, { id: files.id, limits: spec.limits, command: inGuard });
  const env = scope === undefined ? ENVIRONMENT : { ...ENVIRONMENT, ...scopeEnvironment(scope) };
  const options = { cwd: files.bundle, env };
  const fourth = around === undefined ? space?.fd : 'pipe';
  return { program, args, options, fourth, stdin: parts.nullDevice };
}

/** A runtime's ids are short and plain; an owner that is not becomes a digest. */
export function ownerLabel(owner: string): string {
  if (/^[A-Za-z0-9-]{1,64}$/.test(owner)) return owner;
  return sha256OfBytes(owner).slice(0, 16);
}
