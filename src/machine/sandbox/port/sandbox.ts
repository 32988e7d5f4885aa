/**
 * The port: runs one command somewhere safe. It knows nothing of buildpacks or droplets.
 */
import type { Owner } from '../../host/owner.ts';
import type { ExitReport } from './exit-report.ts';
import type { EgressPurpose, EgressState, NetworkKind, OwnNetwork } from './network.ts';
import type { Volumes } from './volume.ts';

/** One directory or file of the host that the sandbox sees. */
export interface Mount {
  /** Absolute host path. */
  readonly source: string;
  /** Absolute path inside. */
  readonly target: string;
  readonly writable: boolean;
}

/** The root file system that the sandbox sees: the machine's own, or an unpacked one. */
export type Rootfs = { readonly kind: 'host' } | { readonly kind: 'directory'; readonly path: string };

/** What may be used up. A limit that can't be enforced is named in {@link Sandbox.unenforced}. */
export interface SandboxLimits {
  /** Bytes of memory of the whole process tree; swap is not granted. */
  readonly memoryBytes: number;
  /** Processes and threads. */
  readonly pids: number;
  /** Relative share of the cpu, as cgroup v1 counts it (1024 = one share). */
  readonly cpuShares?: number;
  /** Bytes under {@link SandboxSpec.diskRoot}. */
  readonly diskBytes: number;
  /** Files, directories and links under {@link SandboxSpec.diskRoot}; absent: as many as the disk takes. */
  readonly files?: number;
  /** Milliseconds this one command may take; Infinity: as long as it likes. */
  readonly wallMs: number;
  /** Open files of one process. */
  readonly openFiles: number;
}

/** Files of a staging or a run: five times what a Cloud Foundry cell grants, and far below what a disk has. */
export const MAX_FILES = 1_000_000;

/** One command. */
export interface SandboxSpec {
  /** Guid of the staging or run it belongs to; what {@link reap} looks for. */
  readonly owner: string;
  /** Program (absolute path inside) and arguments. */
  readonly argv: readonly [string, ...string[]];
  /** The complete environment: nothing else reaches the command. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly rootfs: Rootfs;
  readonly mounts: readonly Mount[];
  /** Symbolic links made in the root: path inside → target, e.g. `/home/vcap` → `/tmp/home`. */
  readonly links?: Readonly<Record<string, string>>;
  /** Host directory whose use counts against `limits.diskBytes`. */
  readonly diskRoot: string;
  readonly limits: SandboxLimits;
  /** `egress`: the network of {@link Sandbox.apart}, or one for this command alone. */
  readonly network: NetworkKind;
  /**
   * Owner of a command that was started before and whose own network this one shares instead of having another;
   * only with network `none` and where {@link Sandbox.sharesNetworks}. When that command is gone, this one is
   * not started and reported as cancelled.
   */
  readonly networkOf?: string;
  readonly hostname?: string;
  /**
   * `null`: the null device (scripts). `inherit`: the caller's own three streams. `terminal`: a terminal of its own,
   * joined to the caller's, which has to have one (a shell for a person).
   */
  readonly stdin?: 'null' | 'inherit' | 'terminal';
  /** Milliseconds between SIGTERM and SIGKILL when the signal fires or time is up; default 0 (kill at once). */
  readonly graceMs?: number;
}

/**
 * Raw bytes as they came; the caller decodes. Called only when stdin is `null`. A promise that is returned holds the
 * command back: until it has settled nothing more of that stream is read, so that the command waits when its pipe is full.
 */
export type OnOutput = (stream: 'stdout' | 'stderr', chunk: Buffer) => unknown;

/** What {@link Sandbox.apart} is to have of its own. */
export interface ApartWish {
  /** Ids that files to work with have already. */
  readonly near?: Owner | undefined;
  /** A network with a way out, with the rules for this purpose. */
  readonly egress?: EgressPurpose | undefined;
}

/** A way to run foreign code. Several runs at once are fine. */
export interface Sandbox {
  readonly kind: 'oci' | 'process' | 'none';
  /** For people: `runc 1.1.5, cgroup v1, user namespace 0 → 65536`. */
  readonly description: string;
  /** Limits that can't be enforced here, each with the reason; shown as warnings. */
  readonly unenforced: readonly {
    readonly limit: keyof SandboxLimits | 'isolation' | 'lifetime';
    readonly reason: string;
  }[];
  /** True: {@link SandboxSpec.networkOf} works. */
  readonly sharesNetworks?: boolean;
  /** File systems that hold workspaces to their size; absent: there are none. */
  readonly volumes?: Volumes;
  /**
   * The same sandbox with host ids and, if it is wished, a network of its own, which no other staging or run has while this one lasts: what the kernel
   * counts for each user is then its own as well. Absent: commands run as the caller.
   */
  apart?(wish?: ApartWish): Promise<Sandbox & AsyncDisposable>;
  /** Whether commands can have a network of their own with a way out; absent: this kind never can. */
  readonly egress?: EgressState | undefined;
  /** The network that commands with `egress` share; of what {@link apart} returned with that wish. */
  readonly ownNetwork?: OwnNetwork;
  /** Host uid and gid that vcap (2000:2000) has outside; workspaces are given to it. */
  readonly owner: Owner;
  /**
   * Runs the command to its end. A command that fails, is killed or times out is a report, not an exception.
   *
   * @throws StagerError SANDBOX_FAILED when the sandbox itself could not be made.
   */
  run(
    spec: SandboxSpec,
    io: { readonly signal: AbortSignal; readonly onOutput: OnOutput },
  ): Promise<ExitReport>;
  /**
   * Sends a signal to the command that runs for `owner` (the launcher passes SIGTERM on).
   *
   * @returns false when there was no command to send it to: it is still being started, or has ended.
   */
  signal(owner: string, signal: NodeJS.Signals): Promise<boolean>;
}
