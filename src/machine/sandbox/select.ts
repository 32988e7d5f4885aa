/**
 * Chooses a sandbox: ordered ways, the first that works, with the reason why the others did not.
 *
 * `auto` means an OCI runtime, and inside a container in which none works a confined process, which is said. Running
 * without isolation is never chosen for somebody: it has to be asked for by name.
 */
import { chmod, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { StagerError } from '../../words/errors.ts';
import type { EgressWish } from '../network/wish.ts';
import { firstSearchable } from './child/state-directory.ts';
import { type CgroupPlan, describeCgroups, planCgroups } from './kernel/cgroups.ts';
import { favorDynamicMoves } from './kernel/dynamic-moves.ts';
import { type IdPlan, idPlans } from './kernel/ids.ts';
import { firstExecutable } from './kernel/programs.ts';
import { NoSandbox } from './none/none.ts';
import { type GuardPlan, planGuard } from './oci/guard.ts';
import { type OciOptions, OciSandbox } from './oci/oci.ts';
import { planEgress } from './oci/plan-egress.ts';
import { ProbeMemory, probe, probeKey } from './oci/probe.ts';
import { describeRuntime, knownRuntime, type OciRuntime, type RuntimeMemory } from './oci/runtime.ts';
import type { Sandbox } from './port/sandbox.ts';
import { reachablePlace } from './process/places.ts';
import { ProcessSandbox } from './process/process.ts';
import { reap } from './reap.ts';
import {
  isConfinedForGood,
  type Rejected,
  surroundingsOfThis,
  unavailable,
  unusable,
} from './unavailable.ts';
import type { WantedBound } from './volume/volumes.ts';

/** What is asked for. */
export interface SelectOptions {
  readonly wanted: 'auto' | 'oci' | 'process' | 'none';
  /** An OCI runtime to use and no other. */
  readonly runtimePath?: string;
  /** Directory for bundles and state; made if need be. */
  readonly stateDir: string;
  /** Directories in which runtimes are looked for. */
  readonly searchPath?: readonly string[];
  /** What is to hold workspaces to their size; absent: `auto`. */
  readonly bound?: WantedBound;
  /** Leave the machine's cgroups mounted as they are; see dynamic-moves.ts. */
  readonly leaveCgroupMounts?: boolean;
  /** What may leave networks of their own; absent: nobody wants one. */
  readonly egress?: () => Promise<EgressWish>;
  readonly signal?: AbortSignal;
}

/** What was chosen. */
export interface Selection {
  readonly sandbox: Sandbox;
  readonly rejected: readonly Rejected[];
  /** The directory for workspaces, which the sandbox's user has to get to: the one that is given, or another. */
  workspacesAt(path: string): Promise<string>;
  /** Removes what the sandbox keeps for this process; call it when nothing is running. */
  close(): Promise<void>;
}

/** In this order: the one that most machines have first. */
const RUNTIME_NAMES = ['runc', 'crun', 'youki', 'runsc'] as const;
const SEARCH_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const;
/** For a root caller whose state directory is below a private home: the runtime works as an unprivileged user. */
const SYSTEM_STATE_DIR = '/run/stager';

/**
 * The sandbox for this machine.
 *
 * @throws StagerError SANDBOX_UNAVAILABLE with the reason for each way that was tried.
 */
export async function selectSandbox(options: SelectOptions): Promise<Selection> {
  if (options.wanted === 'none') {
    await refuseRules(options);
    const sandbox = new NoSandbox();
    return { sandbox, rejected: [], workspacesAt: asGiven, close: () => sandbox.close() };
  }
  if (options.wanted === 'process') return await selectProcess(options, []);
  const signal = options.signal ?? new AbortController().signal;
  const stateDir = await usableStateDir(options.stateDir);
  await reap(stateDir);
  const memory = new ProbeMemory(stateDir);
  const found = await findRuntimes(options, memory);
  const [only] = found.rejected;
  if (options.runtimePath !== undefined && only !== undefined) throw unusable(only);
  if (options.leaveCgroupMounts !== true) await favorDynamicMoves(memory);
  const plans = { ids: await idPlans(), cgroups: await planCgroups(), guard: await planGuard() };
  const ways = [...waysOf(found.runtimes, plans)];
  const how = { stateDir, memory, bound: options.bound, signal, egress: await options.egress?.() };
  let attempt = await firstThatWorks(ways, { ...how, recall: true });
  // What was remembered may be past (a full disk, a runtime that was being replaced): ask again before giving up.
  if (
    attempt.sandbox === undefined &&
    attempt.recalled &&
    !(options.wanted === 'auto' && (await isConfinedForGood()))
  )
    attempt = await firstThatWorks(ways, { ...how, recall: false });
  const { sandbox } = attempt;
  const rejected = [...found.rejected, ...attempt.rejected];
  if (sandbox !== undefined)
    return { sandbox, rejected, workspacesAt: asGiven, close: () => sandbox.close() };
  const place = await surroundingsOfThis();
  if (options.wanted === 'auto' && place === 'container') return await selectProcess(options, rejected);
  throw unavailable(rejected, place);
}

/** Rules hold in a network namespace only: nothing may run without them. */
async function refuseRules({ egress }: Pick<SelectOptions, 'egress'>): Promise<void> {
  if ((await egress?.())?.strict !== true) return;
  throw new StagerError(
    'SANDBOX_UNAVAILABLE',
    'the egress rules do not hold in a sandbox without namespaces',
    {
      next: "Use one that has them (--sandbox oci), or use --network host, which shares the machine's network.",
    },
  );
}

const asGiven = async (path: string): Promise<string> => path;

/** @throws StagerError SANDBOX_UNAVAILABLE with these reasons and why no process can be confined. */
async function selectProcess(
  options: Pick<SelectOptions, 'stateDir' | 'egress'>,
  reasons: readonly Rejected[],
): Promise<Selection> {
  await refuseRules(options);
  const { stateDir } = options;
  const place = await reachablePlace(stateDir);
  await reap(place);
  const sandbox = await ProcessSandbox.open(place);
  if (!('why' in sandbox))
    return { sandbox, rejected: reasons, workspacesAt: reachablePlace, close: () => sandbox.close() };
  const rejected = [...reasons, { candidate: 'process', why: sandbox.why }];
  throw unavailable(rejected, await surroundingsOfThis());
}

interface Attempt {
  readonly sandbox?: OciSandbox;
  readonly rejected: readonly Rejected[];
  /** Whether a way was rejected by what was remembered. */
  readonly recalled: boolean;
}

async function firstThatWorks(
  ways: readonly Way[],
  how: {
    readonly stateDir: string;
    readonly memory: ProbeMemory;
    readonly recall: boolean;
    readonly bound: WantedBound | undefined;
    readonly egress: EgressWish | undefined;
    readonly signal: AbortSignal;
  },
): Promise<Attempt> {
  const rejected: Rejected[] = [];
  let recalled = false;
  for (const way of ways) {
    how.signal.throwIfAborted();
    const oci = { ...way, stateDir: how.stateDir };
    const key = await probeKey(oci);
    const known = how.recall ? await how.memory.recall(key) : undefined;
    const why = known ?? (await probeAndRemember(oci, { ...how, key }));
    if (why === '') {
      const spaces = await canJoin(oci, { ...how, key });
      const egress = how.egress && (await planEgress(oci, how.memory, how.egress));
      const options = { ...oci, bound: how.bound ?? 'auto', spaces, ...(egress && { egress }) };
      return { sandbox: await OciSandbox.open(options), rejected, recalled };
    }
    recalled ||= known !== undefined;
    rejected.push({ candidate: describeWay(way), why });
  }
  return { rejected, recalled };
}

/** Whether a container can be put into a user namespace that was made before. */
async function canJoin(
  oci: OciOptions,
  how: { readonly key: string; readonly memory: ProbeMemory; readonly signal: AbortSignal },
): Promise<boolean> {
  if (oci.ids.kind !== 'range' || oci.guard === undefined) return false;
  const key = `${how.key}:joined`;
  return (
    ((await how.memory.recall(key)) ??
      (await probeAndRemember({ ...oci, spaces: true }, { ...how, key }))) === ''
  );
}

async function probeAndRemember(
  oci: OciOptions,
  {
    key,
    memory,
    signal,
  }: { readonly key: string; readonly memory: ProbeMemory; readonly signal: AbortSignal },
): Promise<string> {
  const unusable = await probe(oci, signal);
  signal.throwIfAborted();
  if (unusable?.lasting !== false) await memory.remember(key, unusable?.why ?? '');
  return unusable?.why ?? '';
}

interface Way {
  readonly runtime: OciRuntime;
  readonly ids: IdPlan;
  readonly cgroups: CgroupPlan;
  readonly guard?: GuardPlan;
}

interface Plans {
  readonly ids: readonly IdPlan[];
  readonly cgroups: CgroupPlan;
  readonly guard: GuardPlan | undefined;
}

/**
 * Every way with cgroups comes before any without, any with better ids before one with worse, one that dies with this
 * process before one that may not; the runtime counts least.
 */
function* waysOf(runtimes: readonly OciRuntime[], plans: Plans): Generator<Way> {
  const { cgroups: plan, guard } = plans;
  const groups =
    plan.pathPrefix === undefined && plan.scope === undefined ? [plan] : [plan, withoutCgroups(plan)];
  for (const cgroups of groups) {
    for (const ids of plans.ids) {
      if (guard !== undefined) for (const runtime of runtimes) yield { runtime, ids, cgroups, guard };
      // What the kernel counted in a scope is written down by a guard.
      if (ids.around === undefined && cgroups.scope === undefined)
        for (const runtime of runtimes) yield { runtime, ids, cgroups };
    }
  }
}

function withoutCgroups(plan: CgroupPlan): CgroupPlan {
  const made = plan.scope === undefined ? 'make a cgroup' : 'be started in a systemd scope';
  const why = `no runtime here could ${made}; \`stager doctor\` shows what each said`;
  return {
    mode: plan.mode,
    parents: {},
    everywhere: [],
    idle: [],
    swap: false,
    reasons: { memory: why, pids: why, cpu: why },
  };
}

const describeWay = ({ runtime, ids, cgroups, guard }: Way): string =>
  `${runtime.name} ${runtime.version}, ${describeCgroups(cgroups)}, ${ids.description}${guard === undefined ? ', not tied to stager' : ''}`;

/** Runtimes that answer to `--version`, asked now or remembered, and why others were left out. */
export async function findRuntimes(
  options: Pick<SelectOptions, 'runtimePath' | 'searchPath'>,
  memory?: RuntimeMemory,
): Promise<{ readonly runtimes: readonly OciRuntime[]; readonly rejected: readonly Rejected[] }> {
  const runtimes: OciRuntime[] = [];
  const rejected: Rejected[] = [];
  const take = async (path: string): Promise<void> => {
    const runtime = await (memory === undefined ? describeRuntime(path) : knownRuntime(path, memory));
    if ('why' in runtime) rejected.push({ candidate: path, why: runtime.why });
    else runtimes.push(runtime);
  };
  const { runtimePath } = options;
  if (runtimePath !== undefined) {
    // A bare name is looked up as a shell would; anything with a slash is a path.
    const path = runtimePath.includes('/')
      ? resolve(runtimePath)
      : await firstExecutable(runtimePath, options.searchPath ?? SEARCH_PATH);
    if (path === undefined) rejected.push({ candidate: runtimePath, why: 'not found in PATH' });
    else await take(path);
  } else {
    for (const name of RUNTIME_NAMES) {
      const path = await firstExecutable(name, options.searchPath ?? SEARCH_PATH);
      if (path === undefined) rejected.push({ candidate: name, why: 'not installed' });
      else await take(path);
    }
  }
  return { runtimes, rejected };
}

/** The directory itself, or one of the system's that the mapped root can pass through to. */
async function usableStateDir(stateDir: string): Promise<string> {
  await mkdir(stateDir, { recursive: true });
  if (process.getuid?.() !== 0) return stateDir;
  await chmod(stateDir, 0o711);
  const usable = await firstSearchable([stateDir]);
  if (usable !== undefined) return usable;
  await mkdir(SYSTEM_STATE_DIR, { recursive: true });
  await chmod(SYSTEM_STATE_DIR, 0o711);
  return SYSTEM_STATE_DIR;
}
