/** What `runDroplet` and `runImage` return, and how it is made from what they start. */
import type { RunEvent } from '../../staging/launch/events.ts';
import type { DropletRun, RunResult } from '../../staging/launch/supervise.ts';
import { cancelled, StagerError } from '../../words/errors.ts';
import { type Handle, openHandle } from './handle.ts';
import type { QueueLimit } from './kept-events.ts';

/** A process type that keeps running, or one command. */
export type RunTargetOptions =
  | {
      /** Process type; default `web`. */
      readonly process?: string;
      readonly command?: never;
    }
  | {
      /** Run once in the app's environment instead, word by word. */
      readonly command: readonly [string, ...string[]];
      readonly process?: never;
    };

/** Whether a run came up, and where it listens; a command is never healthy and has no port. */
export interface RunReadiness {
  readonly healthy: boolean;
  readonly port?: number;
}

/** A droplet or image that runs; `result` settles when everything is gone. */
export interface RunHandle extends Handle<RunEvent, RunResult> {
  /** Settles at the first passed health check, or when it ended before. Rejects as `result` does. */
  readonly ready: Promise<RunReadiness>;
  /** SIGTERM, and SIGKILL after ten seconds or `graceMs`. */
  stop(options?: { readonly graceMs?: number }): Promise<RunResult>;
}

/** Something that was started. */
export type StartedRun = Pick<DropletRun, 'ready' | 'done' | 'stop'> & { readonly port?: number };

/** With what it is started; `started` is called once, before it is waited for. */
export interface RunIo {
  readonly signal: AbortSignal;
  readonly emit: (event: RunEvent) => void;
  readonly started: (run: StartedRun) => void;
}

/** An event without its text, in characters. */
const BARE = 200;
const UNREAD: QueueLimit<RunEvent> = {
  maxWeight: 16 * 1024 * 1024,
  weight: (event) => (event.type === 'log' ? event.text.length + BARE : 0),
  leftOut: (count) => ({
    type: 'warning',
    at: new Date().toISOString(),
    code: 'output-not-kept',
    message: `${count} lines were dropped: 16 Mi characters of output are waiting to be read`,
  }),
};

/** Starts `work` and returns its handle. */
export function openRun(
  options: { readonly signal?: AbortSignal; readonly onEvent?: (event: RunEvent) => void },
  work: (io: RunIo) => Promise<RunResult>,
): RunHandle {
  let stopping = false;
  const start = Promise.withResolvers<StartedRun>();
  start.promise.catch(() => undefined);
  const handle = openHandle<RunEvent, RunResult>({
    signal: options.signal,
    onEvent: options.onEvent,
    limit: UNREAD,
    run: async (io) => {
      try {
        const result = await work({ ...io, started: start.resolve });
        // A run that is up ends as gently for a cancellation as for stop(), which only the caller can tell apart.
        if (io.signal.aborted && !stopping && result.end.kind === 'stopped') throw cancelled(io.signal);
        return result;
      } catch (error) {
        start.reject(error);
        throw error;
      }
    },
  });
  const ready = start.promise
    .then(async (started) => ({ started, readiness: await started.ready }))
    .then(
      ({ started: { port }, readiness }) => ({
        healthy: readiness.kind === 'healthy',
        ...(port !== undefined && { port }),
      }),
      // The handle knows better why: a signal that fired makes whatever failed a cancellation.
      () => handle.result.then(() => ({ healthy: false })),
    );
  ready.catch(() => undefined);
  const stop: RunHandle['stop'] = async (how) => {
    stopping = true;
    await start.promise.then((started) => started.stop(how)).catch(() => undefined);
    return await handle.result;
  };
  return { ...handle, ready, stop };
}

/** @throws StagerError USAGE where a caller without types gives both, or a command without a word. */
export function demandOneTarget({ process: type, command }: RunTargetOptions): void {
  if (command?.[0] === undefined && command !== undefined) {
    throw new StagerError('USAGE', '`command` has no words', {
      next: "Give the program first: ['node', 'task.js'].",
    });
  }
  if (command === undefined || type === undefined) return;
  throw new StagerError('USAGE', '`process` and `command` cannot be used together', {
    next: 'Give a process type that the droplet has, or a command to run once.',
  });
}
