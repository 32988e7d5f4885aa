/**
 * Runs commands in an OCI runtime (runc, crun, runsc …): one container a command, made, run and removed.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { makeDirectory } from '../child/files.ts';
import { ownNull } from '../child/pipes.ts';
import { whyNotStartable } from '../child/program.ts';
import { claimDirectory, removeDirectory } from '../child/state-directory.ts';
import { Warden } from '../child/warden.ts';
import { type CgroupPlan, CONTROLLERS, describeCgroups } from '../kernel/cgroups.ts';
import type { DiskLedger } from '../kernel/disk-watch.ts';
import { type Grants, ownGrants } from '../kernel/grants.ts';
import type { IdPlan } from '../kernel/ids.ts';
import type { ExitReport } from '../port/exit-report.ts';
import type { OnOutput, Sandbox, SandboxSpec } from '../port/sandbox.ts';
import { OciBundles } from './bundle.ts';
import { CLEAR_UP, clearUpArguments } from './clear-up.ts';
import type { GuardPlan } from './guard.ts';
import type { ComposedRoot } from './root.ts';
import { OciRun } from './run.ts';
import type { OciRuntime } from './runtime.ts';

/** What was chosen for this machine; see select.ts. */
export interface OciOptions {
  readonly runtime: OciRuntime;
  readonly ids: IdPlan;
  readonly cgroups: CgroupPlan;
  /** Ties what runs to the life of this process; absent where the machine has none. */
  readonly guard?: GuardPlan;
  /** Directory for bundles and state; the mapped root must be able to pass through to it. */
  readonly stateDir: string;
}

/** Name of the file that tells a later process how to remove what this one left. */
export const OWNER_FILE = 'owner.json';

const NETWORK_POLL_MS = 20;

/** Commands in containers of runc or crun; what they need on the host is made by {@link OciSandbox.open}. */
export class OciSandbox implements Sandbox {
  readonly kind = 'oci';
  readonly description: string;
  readonly unenforced: Sandbox['unenforced'];
  readonly owner: Sandbox['owner'];
  readonly sharesNetworks: boolean;
  readonly #options: OciOptions;
  /** Directory of this process. */
  readonly #home: string;
  readonly #bundles: OciBundles;
  readonly #ledger: DiskLedger = new Map();
  readonly #running = new Map<string, Set<OciRun>>();
  /** How many commands of an owner are being started or run. */
  readonly #owners = new Map<string, number>();
  readonly #warden: Warden;
  readonly #nullDevice: string | undefined;

  private constructor(
    options: OciOptions,
    home: string,
    { grants, nullDevice }: { readonly grants: Grants; readonly nullDevice: string | undefined },
  ) {
    this.#nullDevice = nullDevice;
    const { runtime, ids, cgroups } = options;
    this.#options = options;
    this.#home = home;
    this.#bundles = new OciBundles({ options, home, grants });
    this.description = `${runtime.name} ${runtime.version}, ${describeCgroups(cgroups)}, ${ids.description}`;
    this.unenforced = [...unenforced(options), ...tooLittle(grants)];
    this.owner = ids.owner;
    // A guard enters it, or runc does before it is in its user namespace; only root may do that.
    const asRoot = ids.kind === 'range' || ids.kind === 'dropped';
    this.sharesNetworks = asRoot && (options.guard !== undefined || runtime.name === 'runc');
    const duty = {
      home,
      runtime: runtime.path,
      cgroups: cgroups.everywhere,
      kills: options.guard === undefined,
    };
    this.#warden = new Warden(CLEAR_UP, clearUpArguments(duty));
  }

  /** Makes this process's own state directory. */
  static async open(options: OciOptions): Promise<OciSandbox> {
    const home = await claimDirectory(options.stateDir, randomBytes(4).toString('hex'));
    const { path, name, version, keeps } = options.runtime;
    await makeDirectory(join(home, 'runs'), 0o711);
    await makeDirectory(join(home, 'etc'), 0o711);
    await writeFile(
      join(home, OWNER_FILE),
      JSON.stringify({
        runtime: { path, name, version, keeps },
        cgroups: options.cgroups.everywhere,
        guarded: options.guard !== undefined,
      }),
    );
    const nullDevice = process.getuid?.() === 0 ? await ownNull(home) : undefined;
    return new OciSandbox(options, home, { grants: await ownGrants(), nullDevice });
  }

  /** Removes this process's state directory. Call it when no command is running. */
  async close(): Promise<void> {
    await removeDirectory(this.#home);
    await this.#warden.dismiss();
  }

  async run(
    spec: SandboxSpec,
    io: { readonly signal: AbortSignal; readonly onOutput: OnOutput },
  ): Promise<ExitReport> {
    this.#owners.set(spec.owner, (this.#owners.get(spec.owner) ?? 0) + 1);
    try {
      return await this.#runOnce(spec, io);
    } finally {
      const left = (this.#owners.get(spec.owner) ?? 1) - 1;
      if (left === 0) this.#owners.delete(spec.owner);
      else this.#owners.set(spec.owner, left);
    }
  }

  async #runOnce(
    spec: SandboxSpec,
    io: { readonly signal: AbortSignal; readonly onOutput: OnOutput },
  ): Promise<ExitReport> {
    if (io.signal.aborted) return { outcome: { kind: 'cancelled' }, durationMs: 0 };
    const begun = performance.now();
    const id = `stager-${ownerLabel(spec.owner)}-${randomBytes(4).toString('hex')}`;
    const bundle = join(this.#home, 'runs', id);
    await makeDirectory(bundle, 0o711);
    try {
      const root = await this.#bundles.compose(bundle, spec);
      const reason = await whyNot(spec, root, this.owner);
      if (reason !== undefined) {
        return { outcome: { kind: 'not-started', reason }, durationMs: performance.now() - begun };
      }
      await using network = await this.#networkOf(spec, io.signal);
      if (spec.networkOf !== undefined && network === undefined) {
        return { outcome: { kind: 'cancelled' }, durationMs: performance.now() - begun };
      }
      // Through our own descriptor, since the pid of the other command may be another's by now.
      const networkPath = network === undefined ? undefined : `/proc/${process.pid}/fd/${network.fd}`;
      await this.#bundles.writeConfig(id, { bundle, spec, root, networkPath });
      return await this.#track(spec.owner, this.#newRun({ id, bundle, spec, networkPath }), io);
    } finally {
      await removeDirectory(bundle);
    }
  }

  async signal(owner: string, signal: NodeJS.Signals): Promise<boolean> {
    let sent = false;
    for (const run of this.#running.get(owner) ?? []) if (await run.signal(signal)) sent = true;
    return sent;
  }

  /** Waits until the command whose network is shared has one, or is gone. */
  async #networkOf(spec: SandboxSpec, signal: AbortSignal): Promise<FileHandle | undefined> {
    const owner = spec.networkOf;
    while (owner !== undefined && this.#owners.has(owner) && !signal.aborted) {
      for (const run of this.#running.get(owner) ?? []) {
        const network = await run.network();
        if (network !== undefined) return network;
      }
      await setTimeout(NETWORK_POLL_MS);
    }
    return undefined;
  }

  #newRun(made: {
    readonly id: string;
    readonly bundle: string;
    readonly spec: SandboxSpec;
    readonly networkPath: string | undefined;
  }): OciRun {
    const { runtime, cgroups, ids, guard } = this.#options;
    const { id, bundle, spec, networkPath } = made;
    return new OciRun({
      spec,
      runtime,
      cgroups,
      owner: this.owner,
      around: ids.around,
      nullDevice: this.#nullDevice,
      guard,
      networkPath,
      stateRoot: join(this.#home, 'state'),
      files: {
        id,
        bundle,
        pidFile: join(bundle, 'pid'),
        logFile: join(bundle, 'log.json'),
        network: spec.network,
      },
      ledger: this.#ledger,
    });
  }

  async #track(
    owner: string,
    run: OciRun,
    io: { readonly signal: AbortSignal; readonly onOutput: OnOutput },
  ): Promise<ExitReport> {
    const runs = this.#running.get(owner) ?? new Set();
    this.#running.set(owner, runs.add(run));
    try {
      return await run.finish(io);
    } finally {
      runs.delete(run);
      if (runs.size === 0) this.#running.delete(owner);
    }
  }
}

async function whyNot(
  spec: SandboxSpec,
  root: ComposedRoot,
  owner: Sandbox['owner'],
): Promise<string | undefined> {
  const cwd = await root.view.resolve(spec.cwd);
  if ('missing' in cwd) return `${spec.cwd}: no such directory (working directory)`;
  if (!cwd.stats.isDirectory()) return `${spec.cwd}: not a directory (working directory)`;
  const init = await whyNotStartable('/bin/sh', root.view, owner);
  if (init !== undefined) return `the stack has no usable /bin/sh: ${init}`;
  return await whyNotStartable(spec.argv[0], root.view, owner);
}

/** A runtime's ids are short and plain; an owner that is not becomes a digest. */
function ownerLabel(owner: string): string {
  if (/^[A-Za-z0-9-]{1,64}$/.test(owner)) return owner;
  return createHash('sha256').update(owner).digest('hex').slice(0, 16);
}

/** What programs of an app are granted elsewhere, and can't be here. */
function tooLittle({ openFiles }: Grants): Sandbox['unenforced'] {
  if (openFiles >= USUAL_OPEN_FILES) return [];
  const reason = `stager itself may open ${openFiles} files only; raise its hard limit (ulimit -Hn)`;
  return [{ limit: 'openFiles', reason }];
}

/** As on a Cloud Foundry cell. */
const USUAL_OPEN_FILES = 16_384;

const LIMIT_OF = { memory: 'memoryBytes', pids: 'pids', cpu: 'cpuShares' } as const;

function unenforced({ cgroups, ids, runtime, guard }: OciOptions): Sandbox['unenforced'] {
  const list: { limit: Sandbox['unenforced'][number]['limit']; reason: string }[] = [];
  for (const name of CONTROLLERS) {
    const reason = cgroups.reasons[name];
    if (cgroups.parents[name] !== undefined || reason === undefined) continue;
    // A limit of processes of a user holds in its place where the user is the sandbox's own.
    if (name === 'pids' && ids.mappings !== undefined && runtime.name !== 'runsc') continue;
    const watched = name === 'memory' ? 'it is only watched, five times a second, since ' : '';
    list.push({ limit: LIMIT_OF[name], reason: `${watched}${reason}` });
  }
  if (guard === undefined) {
    list.push({
      limit: 'lifetime',
      reason: 'setpriv, unshare and nsenter (util-linux) are missing or not allowed to work',
    });
  }
  return list;
}
