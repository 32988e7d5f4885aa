/**
 * Runs commands in an OCI runtime (runc, crun, runsc …): one container a command, made, run and removed.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pause } from '../../../words/retry.ts';
import type { Entrance } from '../../network/egress.ts';
import { makeDirectory } from '../child/files.ts';
import { ownNull, PipeStock } from '../child/pipes.ts';
import { Runs } from '../child/runs.ts';
import { whyNotStartable } from '../child/startable.ts';
import { claimDirectory, RUNTIME_STATE, removeDirectory } from '../child/state-directory.ts';
import { Warden } from '../child/warden.ts';
import { type CgroupPlan, describeCgroups } from '../kernel/cgroups.ts';
import type { Backing, DiskLedger } from '../kernel/disk-watch.ts';
import { type Grants, ownGrants } from '../kernel/grants.ts';
import { type IdPlan, rangePlan } from '../kernel/ids.ts';
import { claimRange } from '../kernel/user-ranges.ts';
import { userSpaceOf } from '../kernel/user-space.ts';
import type { ExitReport } from '../port/exit-report.ts';
import type { EgressPurpose, EgressState } from '../port/network.ts';
import type { ApartWish, OnOutput, Sandbox, SandboxSpec } from '../port/sandbox.ts';
import { MountedVolumes, type WantedBound } from '../volume/volumes.ts';
import { OciBundles } from './bundle.ts';
import { CLEAR_UP, clearUpArguments } from './clear-up.ts';
import { ownerLabel } from './command.ts';
import type { GuardPlan } from './guard.ts';
import { ETC } from './kept-etc.ts';
import { type EgressMeans, type SessionNetwork, sessionNetwork } from './networks.ts';
import { OciRun } from './oci-run.ts';
import type { ComposedRoot } from './root.ts';
import type { OciRuntime } from './runtime.ts';
import { tooLittle, unenforced } from './unenforced.ts';

/** What was chosen for this machine; see select.ts. */
export interface OciOptions {
  readonly runtime: OciRuntime;
  readonly ids: IdPlan;
  readonly cgroups: CgroupPlan;
  /** Ties what runs to the life of this process; absent where the machine has none. */
  readonly guard?: GuardPlan;
  /** Directory for bundles and state; the mapped root must be able to pass through to it. */
  readonly stateDir: string;
  /** What is to hold workspaces to their size; absent: `auto`. */
  readonly bound?: WantedBound;
  /** Each staging's user namespace is made before, by a user of its own; works where the runtime can join one. */
  readonly spaces?: boolean;
  /** What networks with a way out are made with; absent: nobody wants one. */
  readonly egress?: EgressMeans;
}

/** Who a command runs as, and the network that it finds. */
interface Session {
  readonly ids: IdPlan;
  readonly network?: SessionNetwork | undefined;
}

interface RunIo {
  readonly signal: AbortSignal;
  readonly onOutput: OnOutput;
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
  readonly #runs = new Runs<OciRun>();
  /** How many commands of an owner are being started or run. */
  readonly #owners = new Map<string, number>();
  readonly #warden: Warden;
  readonly #nullDevice: string | undefined;
  readonly volumes: MountedVolumes;

  readonly #fileBytes: number;
  readonly #pipes: PipeStock;

  private constructor(
    options: OciOptions,
    home: string,
    {
      grants,
      nullDevice,
      volumes,
    }: {
      readonly grants: Grants;
      readonly nullDevice: string | undefined;
      readonly volumes: MountedVolumes;
    },
  ) {
    this.#nullDevice = nullDevice;
    this.volumes = volumes;
    const { runtime, ids, cgroups } = options;
    this.#options = options;
    this.#home = home;
    this.#fileBytes = grants.fileSize;
    this.#pipes = new PipeStock(join(home, 'pipes'));
    this.#bundles = new OciBundles({ options, home, grants, user: ids.user });
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
    await makeDirectory(join(home, ETC), 0o711);
    await writeFile(
      join(home, OWNER_FILE),
      JSON.stringify({
        runtime: { path, name, version, keeps },
        cgroups: options.cgroups.everywhere,
        guarded: options.guard !== undefined,
      }),
    );
    const nullDevice = process.getuid?.() === 0 ? await ownNull(home) : undefined;
    const volumes = await MountedVolumes.open({ wanted: options.bound ?? 'auto', home });
    return new OciSandbox(options, home, { grants: await ownGrants(), nullDevice, volumes });
  }

  /** Removes this process's state directory. Call it when no command is running. */
  async close(): Promise<void> {
    await this.volumes.close();
    await removeDirectory(this.#home);
    await this.#warden.dismiss();
  }

  async run(spec: SandboxSpec, io: RunIo): Promise<ExitReport> {
    return await this.#runIn({ ids: this.#options.ids }, spec, io);
  }

  get egress(): EgressState | undefined {
    return this.#options.egress?.state;
  }

  async apart({ near, egress: purpose }: ApartWish = {}): Promise<Sandbox & AsyncDisposable> {
    const { ids, guard, spaces } = this.#options;
    const lease = ids.kind === 'range' ? await claimRange(near) : undefined;
    const space =
      lease === undefined || guard === undefined || spaces !== true
        ? undefined
        : await userSpaceOf(guard.unshare, lease.start);
    const own = lease === undefined ? ids : rangePlan(lease.start, space);
    const network = purpose === undefined ? undefined : this.#networkFor(purpose, own);
    const { kind, description, unenforced, sharesNetworks, volumes, egress } = this;
    return {
      ...{ kind, description, unenforced, sharesNetworks, volumes, owner: own.owner },
      ...(egress !== undefined && { egress }),
      ...(network !== undefined && { ownNetwork: network }),
      run: (spec, io) => this.#runIn({ ids: own, network }, spec, io),
      signal: (owner, signal) => this.signal(owner, signal),
      [Symbol.asyncDispose]: async () => {
        await network?.[Symbol.asyncDispose]();
        await space?.close();
        lease?.release();
      },
    };
  }

  #networkFor(purpose: EgressPurpose, ids: IdPlan): SessionNetwork {
    return sessionNetwork(this.#options.egress, purpose, { home: this.#home, ids });
  }

  async #runIn(session: Session, spec: SandboxSpec, io: RunIo): Promise<ExitReport> {
    this.#owners.set(spec.owner, (this.#owners.get(spec.owner) ?? 0) + 1);
    try {
      if (spec.network !== 'egress' || session.network !== undefined)
        return await this.#runOnce(session, spec, io);
      await using network = this.#networkFor('staging', session.ids);
      return await this.#runOnce({ ...session, network }, spec, io);
    } finally {
      const left = (this.#owners.get(spec.owner) ?? 1) - 1;
      if (left === 0) this.#owners.delete(spec.owner);
      else this.#owners.set(spec.owner, left);
    }
  }

  async #runOnce({ ids, network: own }: Session, spec: SandboxSpec, io: RunIo): Promise<ExitReport> {
    if (io.signal.aborted) return { outcome: { kind: 'cancelled' }, durationMs: 0 };
    const begun = performance.now();
    const id = `stager-${ownerLabel(spec.owner)}-${randomBytes(4).toString('hex')}`;
    const bundle = join(this.#home, 'runs', id);
    await makeDirectory(bundle, 0o711);
    try {
      const root = await this.#bundles.compose(bundle, spec);
      const reason = await whyNot(spec, root, ids.owner);
      if (reason !== undefined) {
        return { outcome: { kind: 'not-started', reason }, durationMs: performance.now() - begun };
      }
      await using shared = await this.#networkOf(spec, io.signal);
      if (spec.networkOf !== undefined && shared === undefined) {
        return { outcome: { kind: 'cancelled' }, durationMs: performance.now() - begun };
      }
      // Through our own descriptor, since the pid of the other command may be another's by now.
      const other = shared === undefined ? undefined : { net: `/proc/${process.pid}/fd/${shared.fd}` };
      const network = spec.network === 'egress' ? await own?.entrance() : other;
      const made = { bundle, spec, network, ids, backing: this.volumes.backingOf(spec.diskRoot) };
      await this.#bundles.writeConfig(id, { ...made, root });
      return await this.#runs.finish(spec.owner, this.#newRun({ ...made, id }), io);
    } finally {
      await removeDirectory(bundle);
    }
  }

  async signal(owner: string, signal: NodeJS.Signals): Promise<boolean> {
    return await this.#runs.signal(owner, signal);
  }

  /** Waits until the command whose network is shared has one, or is gone. */
  async #networkOf(spec: SandboxSpec, signal: AbortSignal): Promise<FileHandle | undefined> {
    const owner = spec.networkOf;
    while (owner !== undefined && this.#owners.has(owner) && !signal.aborted) {
      for (const run of this.#runs.of(owner)) {
        const network = await run.network();
        if (network !== undefined) return network;
      }
      await pause(NETWORK_POLL_MS);
    }
    return undefined;
  }

  #newRun(made: {
    readonly id: string;
    readonly bundle: string;
    readonly spec: SandboxSpec;
    readonly network: Entrance | undefined;
    readonly ids: IdPlan;
    readonly backing: Backing | undefined;
  }): OciRun {
    const { runtime, cgroups, guard } = this.#options;
    const { id, bundle, spec, network, ids, backing } = made;
    return new OciRun({
      spec,
      runtime,
      cgroups,
      ids: network?.user === undefined ? ids : withoutAround(ids),
      nullDevice: this.#nullDevice,
      fileBytes: this.#fileBytes,
      guard,
      network,
      backing,
      volumes: this.volumes.pointsOf(spec.mounts.map(({ source }) => source)),
      stateRoot: join(this.#home, RUNTIME_STATE),
      files: {
        id,
        bundle,
        pidFile: join(bundle, 'pid'),
        logFile: join(bundle, 'log.json'),
        network: spec.network,
      },
      ledger: this.#ledger,
      pipes: this.#pipes,
    });
  }
}

/** Who enters a network as an ordinary user enters the user namespace that owns it. */
function withoutAround({ around: _made, ...ids }: IdPlan): IdPlan {
  return ids;
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
