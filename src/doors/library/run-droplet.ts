/** The library's `runDroplet`. */
import { openStager } from '../../compose.ts';
import type { Config } from '../../config/load.ts';
import type { RunEvent } from '../../staging/launch/events.ts';
import type { HealthCheck } from '../../staging/launch/health.ts';
import { shellCommand } from '../../staging/launch/start-script.ts';
import type { RunResult } from '../../staging/launch/supervise.ts';
import { checkLimits } from '../../staging/request/request.ts';
import { type RunWish, run } from '../../staging/run-droplet.ts';
import { checkVariables } from '../../staging/vcap/names.ts';
import type { Services } from '../../staging/vcap/services.ts';
import { StagerError } from '../../words/errors.ts';
import { type Handle, openHandle } from './handle.ts';
import type { QueueLimit } from './kept-events.ts';
import { type CommonOptions, configOf, servicesOf } from './options.ts';

/** A process type that keeps running, or one command. */
export type RunTargetOptions =
  | {
      /** Process type; default `web`. */
      readonly process?: string;
      readonly command?: never;
    }
  | {
      /** Run once in the droplet's environment instead, word by word. */
      readonly command: readonly [string, ...string[]];
      readonly process?: never;
    };

/** Options of `runDroplet`. Sizes in MiB. */
export type RunOptions = CommonOptions &
  RunTargetOptions & {
    /** A file, a blobstore address, or the guid of a droplet or build; absent: the last one staged in this home. */
    readonly droplet?: string;
    /** Absent: any free port. */
    readonly port?: number;
    /** Publish the port at all addresses of the machine; default: at its loopback only. */
    readonly expose?: boolean;
    readonly env?: Readonly<Record<string, string>>;
    /** A VCAP_SERVICES document, as JSON text or as the object. */
    readonly services?: string | Services;
    readonly appName?: string;
    /** Default 1024. */
    readonly memoryMb?: number;
    /** Default 4096. */
    readonly diskMb?: number;
    readonly healthCheck?: HealthCheck;
    /** Gets every event as it happens, beside or instead of the iterator. Must not throw. */
    readonly onEvent?: (event: RunEvent) => void;
  };

/** Whether a run came up, and where it listens; a command is never healthy and has no port. */
export interface RunReadiness {
  readonly healthy: boolean;
  readonly port?: number;
}

/** A droplet that runs; `result` settles when everything is gone. */
export interface RunHandle extends Handle<RunEvent, RunResult> {
  /** Settles at the first passed health check, or when it ended before. Rejects as `result` does. */
  readonly ready: Promise<RunReadiness>;
  /** SIGTERM, and SIGKILL after ten seconds or `graceMs`. */
  stop(options?: { readonly graceMs?: number }): Promise<RunResult>;
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

type Started = Awaited<ReturnType<typeof run>>;

/**
 * Starts a droplet. Failures (DROPLET_NOT_FOUND, DROPLET_INVALID, NO_START_COMMAND, PORT_IN_USE, SANDBOX_UNAVAILABLE …)
 * reject `ready` and `result`.
 */
export function runDroplet(options: RunOptions = {}): RunHandle {
  const start = Promise.withResolvers<Started>();
  start.promise.catch(() => undefined);
  const handle = openHandle<RunEvent, RunResult>({
    signal: options.signal,
    onEvent: options.onEvent,
    limit: UNREAD,
    run: async (io) => {
      try {
        return await runWith(options, { ...io, started: start.resolve });
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
    await start.promise.then((started) => started.stop(how)).catch(() => undefined);
    return await handle.result;
  };
  return { ...handle, ready, stop };
}

async function runWith(
  options: RunOptions,
  io: {
    readonly signal: AbortSignal;
    readonly emit: (event: RunEvent) => void;
    readonly started: (run: Started) => void;
  },
): Promise<RunResult> {
  const config = await configOf(options);
  const wish = wishOf(options, config);
  await using stager = openStager(config);
  const started = await run(wish, await stager.runPorts(io.signal), io);
  io.started(started);
  return await started.done;
}

function wishOf(options: RunOptions, { settings }: Pick<Config, 'settings'>): RunWish {
  const { memoryMb = settings.memory, diskMb = settings.disk, env = {} } = options;
  checkLimits({ memoryMb, diskMb });
  checkVariables(env, 'env');
  return {
    target: targetOf(options),
    env,
    services: servicesOf(options.services),
    memoryMb,
    diskMb,
    usual: { memory: options.memoryMb === undefined, disk: options.diskMb === undefined },
    network: settings.network,
    ...(options.droplet !== undefined && { droplet: options.droplet }),
    ...(options.port !== undefined && { port: options.port }),
    ...(options.expose === true && { expose: true }),
    ...(options.appName !== undefined && { appName: options.appName }),
    ...(options.stack !== undefined && { stack: options.stack }),
    ...(options.healthCheck !== undefined && { healthCheck: options.healthCheck }),
  };
}

function targetOf({ process: type, command }: RunTargetOptions): RunWish['target'] {
  if (command === undefined) return { kind: 'process', ...(type !== undefined && { type }) };
  if (type === undefined) return { kind: 'task', command: shellCommand(command) };
  throw new StagerError('USAGE', '`process` and `command` cannot be used together', {
    next: 'Give a process type that the droplet has, or a command to run once.',
  });
}
