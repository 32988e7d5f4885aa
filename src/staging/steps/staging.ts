/** What the steps of one staging share: its guid, the request, the ports, and a way to report events. */

import type { ProxySettings } from '../../config/proxy.ts';
import { networkFor } from '../../machine/sandbox/port/network.ts';
import type { Rootfs, Sandbox } from '../../machine/sandbox/port/sandbox.ts';
import type { BlobKey, BlobStore } from '../../stores/blobs/port/blob-store.ts';
import type { StagingRecords } from '../../stores/records/records.ts';
import type { Clock } from '../../words/clock.ts';
import type { Emit, Report, UntimedEvent } from '../../words/events.ts';
import { type Guid, newGuid } from '../../words/ids.ts';
import { type Monotonic, Phases } from '../../words/phases.ts';
import type { ResultJson } from '../../words/result.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import type { Bundle } from '../build-cache/bundle.ts';
import type { OrderParts } from '../buildpack/acquire/resolve.ts';
import type { LayerStore } from '../layers/store.ts';
import type { StageRequest } from '../request/request.ts';
import type { UnpackedTrees } from '../unpacked/trees.ts';

/** How the app gets into a workspace: above a tree that the machine has, or as a copy; `auto` copies where it has to. */
export type WantedWorkspace = 'auto' | 'overlay' | 'copy';

/** The stack of a staging, found. */
export interface StagingStack {
  readonly name: string;
  readonly rootfs: Rootfs;
  /** Changes when the stack's files do; the build cache and `--reuse` depend on it. */
  readonly digest: string;
  /** One line, when it was damaged and is whole again. */
  readonly notice?: string;
}

/** Everything a staging works with. Only compose.ts makes one. */
export interface StagePorts {
  readonly sandbox: Sandbox;
  readonly stack: (name: string) => Promise<StagingStack>;
  readonly blobs: BlobStore;
  /** File of the stat cache of an app's source; deleting it costs time only. */
  readonly statCache: (app: Guid) => string;
  /** Directory for temporary files. */
  readonly temp: string;
  readonly buildpacks: OrderParts;
  readonly records: StagingRecords;
  /** Directory that holds workspaces. */
  readonly workspaces: string;
  /** Directory of the compressed members that droplets share; deleting it costs time only. */
  readonly memberCache: string;
  /** Trees of apps' packages, and whether they are used; deleting them costs time only. */
  readonly layers: { readonly store: LayerStore; readonly wanted: WantedWorkspace };
  /** What buildpacks install, unpacked; deleting it costs time only. */
  readonly unpacked: UnpackedTrees;
  readonly proxy: ProxySettings;
  /** The operator's own CAs, PEM. */
  readonly extraCas: readonly string[];
  /** A Node binary for buildpacks that are written with the kit; seen at /etc/stager/node. */
  readonly kitNode: string;
  readonly clock: Clock;
  readonly now: Monotonic;
}

/** One staging in progress. */
export class Staging {
  readonly build: Guid = newGuid();
  readonly request: StageRequest;
  /** The sandbox is one apart from when there is a workspace, which belongs to its ids. */
  ports: StagePorts;
  readonly signal: AbortSignal;
  readonly phases: Phases;
  readonly warnings: string[] = [];
  /** Values that must not show in anything that scripts write. */
  readonly secrets: string[] = [];
  peaks: StagingRecord['peaks'] = {};
  /** Variables that the app itself names; those of the request win. */
  envDefaults: Readonly<Record<string, string>> = {};
  /** result.json of a staging whose last buildpack failed; the original writes it as well. */
  failedResult: ResultJson | undefined;
  /** The droplet, from when it is stored until a record names it. */
  unrecorded: BlobKey | undefined;
  /** The bundle that this staging uses instead of a network. */
  bundle: Bundle | undefined;
  /** The stored build cache could not be read, so the next one takes its place. */
  cacheBroken = false;
  /** The workspace had a file system of its own, and no room was left in it at the end. */
  filledWorkspace = false;
  /** Droplets whose bytes have changed; this staging makes them again. */
  readonly replaced: BlobKey[] = [];
  readonly startedAt: string;
  readonly #emit: Emit;
  readonly #startedAtMs: number;

  constructor(
    request: StageRequest,
    ports: StagePorts,
    io: { readonly signal: AbortSignal; readonly emit: Emit },
  ) {
    this.request = request;
    this.ports = ports;
    this.signal = io.signal;
    this.#emit = io.emit;
    this.phases = new Phases(this.report, ports.now);
    this.startedAt = new Date(ports.clock.now()).toISOString();
    this.#startedAtMs = ports.now();
  }

  /** What steps report goes to the caller with the time on it. */
  readonly report: Report = (event: UntimedEvent) =>
    this.#emit({ at: new Date(this.ports.clock.now()).toISOString(), ...event });

  /** Reports a warning and keeps it for the record. */
  warn(code: string, message: string): void {
    this.warnings.push(message);
    this.report({ type: 'warning', code, message });
  }

  /** The network that scripts get, and what there is to say of it. */
  network(): ReturnType<typeof networkFor> {
    return networkFor(this.request.network, this.ports.sandbox);
  }

  /** What `staging-started` says. */
  names(): {
    readonly build: Guid;
    readonly source: string;
    readonly stack: string;
    readonly sandbox: string;
  } {
    const { build, source, stack, sandbox } = this.facts();
    return { build, source, stack, sandbox };
  }

  /** What the record says of any staging, whatever came out. */
  facts(): Pick<
    StagingRecord,
    'build' | 'app' | 'startedAt' | 'durationMs' | 'phases' | 'limits' | 'sandbox' | 'stack' | 'source'
  > {
    const { request, ports } = this;
    return {
      build: this.build,
      app: { guid: request.app.guid, name: request.app.name },
      source: request.source.kind === 'path' ? request.source.path : `package ${request.source.guid}`,
      stack: request.stack,
      sandbox: ports.sandbox.description,
      startedAt: this.startedAt,
      durationMs: Math.round(ports.now() - this.#startedAtMs),
      phases: this.phases.timings,
      limits: { memoryMb: request.memoryMb, diskMb: request.diskMb, timeoutMs: request.timeoutMs },
    };
  }
}
