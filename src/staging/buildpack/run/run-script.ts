/**
 * Starts one script of a buildpack in the sandbox, inside the time that all scripts of the staging share.
 */

import type { ExitReport } from '../../../machine/sandbox/port/exit-report.ts';
import type { NetworkKind } from '../../../machine/sandbox/port/network.ts';
import type { Mount, Rootfs, Sandbox, SandboxLimits } from '../../../machine/sandbox/port/sandbox.ts';
import type { Clock } from '../../../words/clock.ts';
import { throwIfCancelled } from '../../../words/errors.ts';
import type { PhaseRef, Report } from '../../../words/events.ts';
import { INSIDE, type Workspace } from '../../workspace/layout.ts';
import { timeout } from './failure.ts';
import { ScriptOutput, type SecretFilter } from './output.ts';

/** Bytes of stdout that are kept of `detect` and `release`; more is a broken script. */
const CAPTURE_BYTES = 1024 * 1024;

/** Where {@link ScriptSetting.kitNode} is seen. */
const KIT_NODE = `${INSIDE.platform}/node`;

/** What every script of a staging has in common. */
export interface ScriptSetting {
  /** Guid of the staging. */
  readonly owner: string;
  readonly workspace: Workspace;
  readonly rootfs: Rootfs;
  /** `wallMs` is the time for all scripts together. */
  readonly limits: SandboxLimits;
  readonly network: NetworkKind;
  /** A Node binary of the host for buildpacks that are written with the kit; seen at {@link KIT_NODE}. */
  readonly kitNode?: string;
  readonly moreMounts?: () => readonly Mount[];
  readonly filter: SecretFilter;
}

/** What a script sees beside the root: the workspace, our read-only files, Node for buildpacks of the kit. */
export function scriptMounts({
  workspace,
  kitNode,
}: Pick<ScriptSetting, 'workspace' | 'kitNode'>): readonly Mount[] {
  const mounts = [
    { source: workspace.tmp, target: INSIDE.tmp, writable: true },
    { source: workspace.platform, target: INSIDE.platform, writable: false },
  ];
  return kitNode === undefined ? mounts : [...mounts, { source: kitNode, target: KIT_NODE, writable: false }];
}

/** The ports that running scripts needs. */
export interface ScriptPorts {
  readonly sandbox: Sandbox;
  readonly signal: AbortSignal;
  readonly report: Report;
  readonly clock: Clock;
}

/** One script. */
export interface ScriptCall {
  readonly phase: PhaseRef;
  /** For messages: `bin/supply`. */
  readonly script: string;
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly links: Readonly<Record<string, string>>;
  /** Keep stdout instead of reporting it. */
  readonly capture?: boolean;
}

/** How it ended. `stdout` is empty unless captured; `truncated` tells that it was longer than is kept. */
export interface ScriptResult {
  readonly report: ExitReport;
  readonly stdout: Buffer;
  readonly truncated: boolean;
}

/** Largest use that any script of the staging made, where the kernel tells. */
export interface Peaks {
  readonly memoryBytes?: number;
  readonly diskBytes?: number;
}

/** Runs the scripts of one staging, one after another. */
export class ScriptRunner {
  readonly setting: ScriptSetting;
  readonly ports: ScriptPorts;
  readonly #startedAt: number;
  #peaks: Peaks = {};

  constructor(setting: ScriptSetting, ports: ScriptPorts) {
    this.setting = setting;
    this.ports = ports;
    this.#startedAt = ports.clock.now();
  }

  get peaks(): Peaks {
    return this.#peaks;
  }

  /**
   * Runs the script to its end; how it ended is a value.
   *
   * @throws StagerError CANCELLED before the start, STAGING_TIMEOUT when no time is left, SANDBOX_FAILED.
   */
  async run(call: ScriptCall): Promise<ScriptResult> {
    const { setting, ports } = this;
    throwIfCancelled(ports.signal);
    const left = setting.limits.wallMs - (ports.clock.now() - this.#startedAt);
    if (left <= 0) {
      throw timeout({ phase: call.phase, script: call.script, timeoutMs: setting.limits.wallMs });
    }
    const output = new ScriptOutput(call.phase, setting.filter, ports);
    const captured = new Captured();
    const report = await ports.sandbox.run(
      {
        owner: setting.owner,
        argv: call.argv,
        env: { ...call.env, PWD: call.cwd },
        cwd: call.cwd,
        rootfs: setting.rootfs,
        mounts: [...scriptMounts(setting), ...(setting.moreMounts?.() ?? [])],
        links: call.links,
        diskRoot: setting.workspace.tmp,
        limits: { ...setting.limits, wallMs: left },
        network: setting.network,
        stdin: 'null',
      },
      {
        signal: ports.signal,
        onOutput: (stream, chunk) => {
          if (call.capture !== true || stream === 'stderr') return output.write(stream, chunk);
          captured.add(chunk);
          return undefined;
        },
      },
    );
    output.end();
    this.#peaks = withPeaks(this.#peaks, report);
    return { report, stdout: captured.bytes(), truncated: captured.truncated };
  }
}

class Captured {
  readonly #chunks: Buffer[] = [];
  #size = 0;
  truncated = false;

  add(chunk: Buffer): void {
    const room = CAPTURE_BYTES - this.#size;
    if (chunk.length > room) this.truncated = true;
    if (room <= 0) return;
    // Copied: the sandbox may reuse its buffer.
    this.#chunks.push(Buffer.from(chunk.subarray(0, room)));
    this.#size += Math.min(room, chunk.length);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** The larger of each figure. */
export function withPeaks(peaks: Peaks, report: ExitReport): Peaks {
  const memoryBytes = Math.max(peaks.memoryBytes ?? 0, report.peakMemoryBytes ?? 0);
  const diskBytes = Math.max(peaks.diskBytes ?? 0, report.peakDiskBytes ?? 0);
  return { ...(memoryBytes > 0 && { memoryBytes }), ...(diskBytes > 0 && { diskBytes }) };
}
