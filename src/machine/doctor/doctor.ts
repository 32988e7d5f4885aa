/**
 * Gathers what decides whether and how stager works on this machine. It only looks and tries; the command line
 * shows it.
 */
import { mkdir, readFile, rmdir } from 'node:fs/promises';
import { arch, release, userInfo } from 'node:os';
import { join } from 'node:path';
import { StagerError } from '../../words/errors.ts';
import { newGuid } from '../../words/ids.ts';
import type { Owner } from '../host/owner.ts';
import { CONTROLLERS, isHeld, planCgroups } from '../sandbox/kernel/cgroups.ts';
import { type DynamicMoves, dynamicMoves } from '../sandbox/kernel/dynamic-moves.ts';
import { idPlans } from '../sandbox/kernel/ids.ts';
import type { OciRuntime } from '../sandbox/oci/runtime.ts';
import { runtimeAdvice } from '../sandbox/oci/runtime-advice.ts';
import type { EgressState } from '../sandbox/port/network.ts';
import type { Sandbox } from '../sandbox/port/sandbox.ts';
import { type Layers, NO_VOLUMES } from '../sandbox/port/volume.ts';
import { findRuntimes, type Selection, type SelectOptions } from '../sandbox/select.ts';
import type { Rejected } from '../sandbox/unavailable.ts';
import type { StackInfo } from '../stack/store.ts';
import { cgroupAdvice } from './cgroup-advice.ts';
import { type Facts, type Finding, finding, noted } from './finding.ts';
import { roomFinding } from './room.ts';

/** Where to look. */
export interface DiagnoseOptions {
  readonly sandbox: SelectOptions;
  /** Chooses the sandbox again. */
  readonly select: () => Promise<Selection>;
  /** Data home, for its free space. */
  readonly home: string;
  readonly stacks: { list(): Promise<StackInfo[]> };
  /** Name of the stack that will be used. */
  readonly stack: string;
  /** Asks the blobstore; facts, one sentence each, or an exception. */
  readonly blobstore: () => Promise<Facts>;
  /** What is around it: a finding, or an exception. */
  readonly service: Readonly<Partial<Record<ServicePart, () => Promise<Finding<Facts>>>>>;
  readonly signal: AbortSignal;
}

/** What is looked at only where it is asked for, in the order in which it is shown. */
export const SERVICE_PARTS = [
  'proxy',
  'data',
  'database',
  'queue',
  'clock',
  'server',
] as const satisfies readonly (keyof Diagnosis['service'])[];

export type ServicePart = (typeof SERVICE_PARTS)[number];

/** Everything that was found; sizes in bytes. */
export interface Diagnosis {
  readonly machine: {
    readonly kernel: string;
    readonly arch: string;
    readonly node: string;
    readonly user: string;
  };
  readonly runtimes: {
    readonly found: readonly (OciRuntime & { readonly advice?: string })[];
    readonly missing: readonly Rejected[];
  };
  readonly cgroups: {
    readonly mode: string;
    readonly controllers: readonly {
      readonly name: string;
      readonly parent?: string;
      readonly why?: string;
      readonly advice?: string;
    }[];
    /** Whether a start waits for forks elsewhere; see dynamic-moves.ts. */
    readonly dynamicMoves: DynamicMoves;
  };
  readonly users: {
    readonly ways: readonly { readonly kind: string; readonly description: string }[];
    /** user.max_user_namespaces; 0 forbids user namespaces. */
    readonly maxUserNamespaces?: number;
  };
  readonly sandbox: Finding<{
    readonly kind: string;
    readonly description: string;
    readonly unenforced: readonly { readonly limit: string; readonly reason: string }[];
    readonly rejected: readonly Rejected[];
    /** What holds workspaces to their disk limit, found by trying. */
    readonly bound: { readonly kind: 'image' | 'tmpfs' | 'watch'; readonly why?: string };
    /** Whether an app can lie above the tree of its last package, found by trying. */
    readonly layers: { readonly had: boolean; readonly why?: string };
    /** A network of its own with a way out: what makes it, or why it is not available. */
    readonly egress: { readonly had: boolean; readonly description: string; readonly next?: string };
  }>;
  readonly stacks: Finding<{ readonly chosen: string; readonly known: readonly StackInfo[] }>;
  readonly home: Finding<{ readonly path: string; readonly freeBytes: number; readonly freeInodes: number }>;
  readonly blobstore: Finding<readonly string[]>;
  /** The proxies, and the parts of a server that were named. */
  readonly service: {
    readonly proxy?: Finding<readonly string[]>;
    readonly data?: Finding<readonly string[]>;
    readonly database?: Finding<readonly string[]>;
    readonly queue?: Finding<readonly string[]>;
    readonly clock?: Finding<readonly string[]>;
    readonly server?: Finding<readonly string[]>;
  };
}

/** Of a volume that is only tried. */
const TRIAL_BYTES = 4 * 1024 ** 3;

/** Looks at the machine. What can't be used is a finding, not an exception. @throws StagerError CANCELLED */
export async function diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
  const [runtimes, plan, moves, ways, maxUserNamespaces] = await Promise.all([
    findRuntimes(options.sandbox),
    planCgroups(),
    dynamicMoves(),
    idPlans(),
    sysctl('/proc/sys/user/max_user_namespaces'),
  ]);
  return {
    machine: { kernel: release(), arch: arch(), node: process.version, user: userName() },
    runtimes: { found: runtimes.runtimes.map(advised), missing: runtimes.rejected },
    cgroups: {
      mode: plan.mode,
      dynamicMoves: moves,
      controllers: CONTROLLERS.map((name) => {
        const parent =
          plan.parents[name] ??
          (plan.scope !== undefined && isHeld(plan, name)
            ? `a systemd scope for each, asked for in ${plan.scope.runtimeDir}`
            : undefined);
        const why = plan.reasons[name];
        if (parent !== undefined) return { name, parent };
        return { name, ...(why === undefined ? {} : { why }), advice: cgroupAdvice(plan, name) };
      }),
    },
    users: {
      ways: ways.map(({ kind, description }) => ({ kind, description })),
      ...(maxUserNamespaces === undefined ? {} : { maxUserNamespaces }),
    },
    sandbox: await finding(options.signal, () => sandboxFinding(options)),
    stacks: await finding(options.signal, () => stackFinding(options)),
    home: await finding(options.signal, () => roomFinding(options.home, '--home')),
    blobstore: await finding(options.signal, async () => noted(await options.blobstore())),
    service: await serviceFindings(options),
  };
}

async function serviceFindings({ service, signal }: DiagnoseOptions): Promise<Diagnosis['service']> {
  const found: Partial<Record<ServicePart, Finding<Facts>>> = {};
  for (const part of SERVICE_PARTS) {
    const look = service[part];
    if (look !== undefined) found[part] = await finding(signal, look);
  }
  return found;
}

function advised(runtime: OciRuntime): Diagnosis['runtimes']['found'][number] {
  const advice = runtimeAdvice(runtime);
  return advice === undefined ? runtime : { ...runtime, advice };
}

async function sandboxFinding(options: DiagnoseOptions): Promise<Diagnosis['sandbox']> {
  const { sandbox, rejected, close } = await options.select();
  const { bound, layers } = await volumesOf(sandbox, join(options.home, 'workspaces')).finally(close);
  const { kind, description, unenforced, egress } = sandbox;
  const notes = unenforced.map(({ limit, reason }) => `${limit} is not enforced: ${reason}`);
  return noted({ kind, description, unenforced, rejected, bound, layers, egress: egressOf(egress) }, notes);
}

function egressOf(state: EgressState | undefined): { had: boolean; description: string; next?: string } {
  if (state === undefined) return { had: false, description: 'this kind of sandbox has no namespaces' };
  if (state.had) return { had: true, description: state.description };
  return { had: false, description: state.why, next: state.next };
}

type Tried = Pick<Extract<Diagnosis['sandbox'], { value: unknown }>['value'], 'bound' | 'layers'>;

/** Mounts what a workspace has. */
async function volumesOf(
  { volumes, owner }: Pick<Sandbox, 'volumes' | 'owner'>,
  workspaces: string,
): Promise<Tried> {
  const none = (why: string = NO_VOLUMES) => ({ had: false, why });
  if (volumes === undefined) return { bound: { kind: 'watch' }, layers: none() };
  const at = join(workspaces, newGuid());
  await mkdir(at, { recursive: true });
  try {
    const volume = await volumes.mount(at, { bytes: TRIAL_BYTES });
    const layers = await layersOf(volumes.layers, { at, owner });
    await volume?.release();
    const { bound: kind, why, whyNoLayers } = volumes;
    return { bound: { kind, ...(why !== undefined && { why }) }, layers: layers ?? none(whyNoLayers) };
  } finally {
    await rmdir(at);
  }
}

async function layersOf(
  layers: Layers | undefined,
  { at, owner }: { readonly at: string; readonly owner: Owner },
): Promise<Tried['layers'] | undefined> {
  if (layers === undefined) return undefined;
  const place = (name: string): string => join(at, name);
  const holds = { bytes: 0, files: 0 };
  try {
    for (const name of ['below', 'upper', 'work', 'tmp']) await mkdir(place(name));
    await layers.make({ file: place('image'), at: place('below'), size: holds });
    const [below, upper, work] = [place('below'), place('upper'), place('work')];
    await layers.lay({ below, upper, work, at: place('tmp'), owner, holds });
    return { had: true };
  } catch (error) {
    return { had: false, why: error instanceof Error ? error.message : String(error) };
  }
}

async function stackFinding(options: DiagnoseOptions): Promise<Diagnosis['stacks']> {
  const known = await options.stacks.list();
  if (known.some(({ name }) => name === options.stack)) return noted({ chosen: options.stack, known });
  const names = known.map(({ name }) => name).join(', ');
  throw new StagerError(
    'STACK_NOT_FOUND',
    `there is no stack ${JSON.stringify(options.stack)}; known: ${names}`,
    {
      next: 'Name one of them with --stack, or add it with `stager stack add NAME FROM`.',
    },
  );
}

async function sysctl(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number(text);
}

function userName(): string {
  const { username, uid } = userInfo();
  return `${username} (${uid})`;
}
