/**
 * Gathers what decides whether and how stager works on this machine. It only looks and tries; the command line
 * shows it.
 */
import { mkdir, readFile, rmdir, statfs } from 'node:fs/promises';
import { arch, release, userInfo } from 'node:os';
import { join } from 'node:path';
import { StagerError } from '../../words/errors.ts';
import { newGuid } from '../../words/ids.ts';
import { CONTROLLERS, isHeld, planCgroups } from '../sandbox/kernel/cgroups.ts';
import { idPlans } from '../sandbox/kernel/ids.ts';
import type { OciRuntime } from '../sandbox/oci/runtime.ts';
import { runtimeAdvice } from '../sandbox/oci/runtime-advice.ts';
import type { EgressState } from '../sandbox/port/network.ts';
import type { Sandbox } from '../sandbox/port/sandbox.ts';
import type { Bound } from '../sandbox/port/volume.ts';
import { findRuntimes, type Selection, type SelectOptions } from '../sandbox/select.ts';
import { type Rejected, reasonsOf } from '../sandbox/unavailable.ts';
import type { StackInfo } from '../stack/store.ts';

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
  readonly blobstore: () => Promise<readonly string[]>;
  readonly signal: AbortSignal;
}

/** Worked, did not, or works with something missing. */
export type Finding<T> =
  | { readonly status: 'ok' | 'warning'; readonly value: T; readonly notes: readonly string[] }
  | {
      readonly status: 'failed';
      readonly why: string;
      readonly next?: string;
      /** What was tried, one line each. */
      readonly tried?: readonly string[];
    };

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
    }[];
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
    /** A network of its own with a way out: what makes it, or why it is not available. */
    readonly egress: { readonly had: boolean; readonly description: string; readonly next?: string };
  }>;
  readonly stacks: Finding<{ readonly chosen: string; readonly known: readonly StackInfo[] }>;
  readonly home: Finding<{ readonly path: string; readonly freeBytes: number; readonly freeInodes: number }>;
  readonly blobstore: Finding<readonly string[]>;
}

/** A staging of an ordinary app needs about this much for workspace, caches and droplet. */
const COMFORTABLE_BYTES = 4 * 1024 ** 3;
const COMFORTABLE_INODES = 200_000;
/** Of a volume that is only tried. */
const TRIAL_BYTES = 4 * 1024 ** 3;

/** Looks at the machine. What can't be used is a finding, not an exception. @throws StagerError CANCELLED */
export async function diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
  const [runtimes, plan, ways, maxUserNamespaces] = await Promise.all([
    findRuntimes(options.sandbox),
    planCgroups(),
    idPlans(),
    sysctl('/proc/sys/user/max_user_namespaces'),
  ]);
  return {
    machine: { kernel: release(), arch: arch(), node: process.version, user: userName() },
    runtimes: { found: runtimes.runtimes.map(advised), missing: runtimes.rejected },
    cgroups: {
      mode: plan.mode,
      controllers: CONTROLLERS.map((name) => {
        const parent =
          plan.parents[name] ??
          (plan.scope !== undefined && isHeld(plan, name)
            ? `a systemd scope for each, asked for in ${plan.scope.runtimeDir}`
            : undefined);
        const why = plan.reasons[name];
        return { name, ...(parent === undefined ? {} : { parent }), ...(why === undefined ? {} : { why }) };
      }),
    },
    users: {
      ways: ways.map(({ kind, description }) => ({ kind, description })),
      ...(maxUserNamespaces === undefined ? {} : { maxUserNamespaces }),
    },
    sandbox: await finding(options.signal, () => sandboxFinding(options)),
    stacks: await finding(options.signal, () => stackFinding(options)),
    home: await finding(options.signal, () => homeFinding(options.home)),
    blobstore: await finding(options.signal, async () => ok(await options.blobstore())),
  };
}

function advised(runtime: OciRuntime): Diagnosis['runtimes']['found'][number] {
  const advice = runtimeAdvice(runtime);
  return advice === undefined ? runtime : { ...runtime, advice };
}

async function sandboxFinding(options: DiagnoseOptions): Promise<Diagnosis['sandbox']> {
  const { sandbox, rejected, close } = await options.select();
  const bound = await boundOf(sandbox, join(options.home, 'workspaces')).finally(close);
  const { kind, description, unenforced, egress } = sandbox;
  const notes = unenforced.map(({ limit, reason }) => `${limit} is not enforced: ${reason}`);
  return noted({ kind, description, unenforced, rejected, bound, egress: egressOf(egress) }, notes);
}

function egressOf(state: EgressState | undefined): { had: boolean; description: string; next?: string } {
  if (state === undefined) return { had: false, description: 'this kind of sandbox has no namespaces' };
  if (state.had) return { had: true, description: state.description };
  return { had: false, description: state.why, next: state.next };
}

async function boundOf(
  { volumes }: Pick<Sandbox, 'volumes'>,
  workspaces: string,
): Promise<{ readonly kind: Bound; readonly why?: string }> {
  if (volumes === undefined) return { kind: 'watch' };
  const at = join(workspaces, newGuid());
  await mkdir(at, { recursive: true });
  try {
    const volume = await volumes.mount(at, { bytes: TRIAL_BYTES });
    await volume?.release();
  } finally {
    await rmdir(at);
  }
  return { kind: volumes.bound, ...(volumes.why !== undefined && { why: volumes.why }) };
}

async function stackFinding(options: DiagnoseOptions): Promise<Diagnosis['stacks']> {
  const known = await options.stacks.list();
  if (known.some(({ name }) => name === options.stack)) return ok({ chosen: options.stack, known });
  const names = known.map(({ name }) => name).join(', ');
  throw new StagerError(
    'STACK_NOT_FOUND',
    `there is no stack ${JSON.stringify(options.stack)}; known: ${names}`,
    {
      next: 'Name one of them with --stack, or add it with `stager stack add NAME FROM`.',
    },
  );
}

async function homeFinding(path: string): Promise<Diagnosis['home']> {
  const { bavail, bsize, ffree, files } = await statfs(path);
  const freeBytes = bavail * bsize;
  const notes: string[] = [];
  if (freeBytes < COMFORTABLE_BYTES) notes.push(`only ${freeBytes} bytes are free`);
  // Some file systems have no fixed number of inodes and say 0.
  if (files > 0 && ffree < COMFORTABLE_INODES) notes.push(`only ${ffree} inodes are free`);
  return noted({ path, freeBytes, freeInodes: ffree }, notes);
}

const ok = <T>(value: T): Finding<T> => ({ status: 'ok', value, notes: [] });

function noted<T>(value: T, notes: readonly string[]): Finding<T> {
  return { status: notes.length === 0 ? 'ok' : 'warning', value, notes };
}

async function finding<T>(signal: AbortSignal, find: () => Promise<Finding<T>>): Promise<Finding<T>> {
  try {
    return await find();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Error)) throw error;
    const next = error instanceof StagerError ? error.next : undefined;
    const tried = error instanceof StagerError ? reasonsOf(error) : [];
    return {
      status: 'failed',
      why: error.message,
      ...(next !== undefined && { next }),
      ...(tried.length > 0 && { tried }),
    };
  }
}

async function sysctl(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number(text);
}

function userName(): string {
  const { username, uid } = userInfo();
  return `${username} (${uid})`;
}
