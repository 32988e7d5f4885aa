/** The events of a running droplet for its caller: the same values become terminal lines and `--json` lines. */
import type { ExitOutcome } from '../../machine/sandbox/port/exit-report.ts';

/**
 * Where a line comes from, as `cf logs` names it: `APP/PROC/WEB`, `APP/PROC/WEB/SIDECAR/AGENT`, `APP/TASK/RUN`.
 * The last part of the prefix is the index of the instance.
 */
export interface LogSource {
  readonly id: string;
  readonly index: number;
}

/** Times are ISO 8601 in UTC (`at`) and milliseconds. */
export type RunEvent =
  | {
      readonly type: 'run-started';
      readonly at: string;
      readonly source: LogSource;
      readonly command: string;
      /** Absent for a task. */
      readonly port?: number;
    }
  | {
      /** One line without its end. `partial` is a piece of a line that is still open. */
      readonly type: 'log';
      readonly at: string;
      readonly source: LogSource;
      readonly stream: 'stdout' | 'stderr';
      readonly text: string;
      readonly partial?: boolean;
    }
  | { readonly type: 'healthy'; readonly at: string; readonly check: string; readonly afterMs: number }
  | { readonly type: 'unhealthy'; readonly at: string; readonly check: string; readonly message: string }
  | {
      readonly type: 'stopping';
      readonly at: string;
      readonly reason: StopReason;
      /** Milliseconds until SIGKILL. */
      readonly graceMs: number;
    }
  /** SIGKILL is sent: the grace is over, or the caller asked for it. */
  | { readonly type: 'killing'; readonly at: string; readonly sources: readonly LogSource[] }
  | {
      readonly type: 'exited';
      readonly at: string;
      readonly source: LogSource;
      readonly outcome: ExitOutcome;
      readonly exitCode: number;
    }
  | {
      readonly type: 'warning';
      readonly at: string;
      /** Stable, kebab-case. */
      readonly code: string;
      readonly message: string;
    };

/** Why a run is being stopped. */
export type StopReason =
  /** The caller asked for it. */
  | { readonly kind: 'requested' }
  /** A process that runs beside this one has ended; one ends, all end. */
  | { readonly kind: 'codependent'; readonly ended: LogSource }
  | { readonly kind: 'unhealthy'; readonly message: string };

/** Takes events in order; must not throw. If it returns a promise, the process that writes waits until that has settled. */
export type EmitRun = (event: RunEvent) => unknown;

/** `[APP/PROC/WEB/0]` */
export function logPrefix(source: LogSource): string {
  return `[${source.id}/${source.index}]`;
}

/** Source of a process type. */
export function processSource(type: string, index = 0): LogSource {
  return { id: `APP/PROC/${type.toUpperCase()}`, index };
}

/** Source of a sidecar beside a process type. */
export function sidecarSource(type: string, name: string, index = 0): LogSource {
  return { id: `APP/PROC/${type.toUpperCase()}/SIDECAR/${name.toUpperCase()}`, index };
}

/** Source of a one-off command. */
export function taskSource(name: string): LogSource {
  return { id: `APP/TASK/${name}`, index: 0 };
}
