/**
 * What a staging tells its caller while it works: the same values become terminal lines, `--json` lines, the
 * library's events and the log of a build. Documented in docs/events.md.
 */

import type { Blame, Code } from './errors.ts';
import type { Guid } from './ids.ts';
import type { ResultJson } from './result.ts';
import type { StagingRecord } from './staging-record.ts';

/** The phases of a staging, in order. `supply` repeats, once a buildpack. */
export type PhaseName =
  | 'source'
  | 'buildpacks'
  | 'workspace'
  | 'detect'
  | 'restore-cache'
  | 'supply'
  | 'finalize'
  | 'compile'
  | 'release'
  | 'droplet'
  | 'save-cache'
  | 'smoke'
  | 'launch';

/** Names one run of a phase: `index` and `buildpack` where the phase belongs to one buildpack. */
export interface PhaseRef {
  readonly name: PhaseName;
  /** Position in the order of buildpacks, from 0. */
  readonly index?: number;
  /** Display name of the buildpack (no credentials). */
  readonly buildpack?: string;
}

/** The failure as data; `message` and `next` are for people. */
export interface ErrorReport {
  readonly code: Code;
  readonly blame: Blame;
  readonly message: string;
  readonly next?: string;
  readonly phase?: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly exit: number;
}

/** Times are ISO 8601 in UTC (`at`) and milliseconds (`durationMs`); sizes are bytes. */
export type BuildEvent =
  | {
      readonly type: 'staging-started';
      readonly at: string;
      readonly build: Guid;
      readonly source: string;
      readonly stack: string;
      readonly sandbox: string;
    }
  | {
      /** A build on a server that no worker has yet: before `staging-started`, whenever its place is another one. */
      readonly type: 'waiting';
      readonly at: string;
      /** From 1. */
      readonly position: number;
      /** Absent when it is not known. */
      readonly expectedWaitMs?: number;
      readonly reason: string;
    }
  | { readonly type: 'phase-started'; readonly at: string; readonly phase: PhaseRef }
  | {
      readonly type: 'phase-ended';
      readonly at: string;
      readonly phase: PhaseRef;
      readonly outcome: 'done' | 'skipped' | 'failed';
      readonly durationMs: number;
      /** One short fact for people, such as `1,204 files, 31 MB`. */
      readonly note?: string;
    }
  | {
      /** One line a script wrote, without its line end. `partial` is a piece of a line that is still open. */
      readonly type: 'output';
      readonly at: string;
      readonly phase: PhaseRef;
      readonly stream: 'stdout' | 'stderr';
      readonly text: string;
      readonly partial?: boolean;
    }
  | {
      readonly type: 'progress';
      readonly at: string;
      readonly phase: PhaseRef;
      readonly done: number;
      readonly total?: number;
      readonly unit: 'bytes' | 'files';
    }
  | {
      readonly type: 'warning';
      readonly at: string;
      /** Stable, kebab-case. */
      readonly code: string;
      readonly message: string;
      readonly phase?: PhaseRef;
    }
  | {
      readonly type: 'staging-ended';
      readonly at: string;
      readonly outcome: 'staged';
      readonly record: StagingRecord;
    }
  | {
      readonly type: 'staging-ended';
      readonly at: string;
      readonly outcome: 'failed' | 'cancelled';
      readonly error: ErrorReport;
      /** Cloud Foundry's result.json, when a last buildpack's scripts or the Procfile failed. */
      readonly result?: ResultJson;
    };

/** Takes events in order; must not throw. If it returns a promise, the script that writes waits until that has settled. */
export type Emit = (event: BuildEvent) => unknown;

type WithoutTime<E> = E extends BuildEvent ? Omit<E, 'at'> : never;

/** An event before the clock stamped it: what steps hand to their {@link Reporter}. */
export type UntimedEvent = WithoutTime<BuildEvent>;

/** How a step reports; stamping the time and the order is the reporter's business. */
export type Report = (event: UntimedEvent) => unknown;
