/** The library's calls: typed options in, a handle out. No global state, no output, no process.exit. */
import { Stager } from '../../compose.ts';
import { writeJsonFile } from '../../config/json-file.ts';
import { demandOutputFile } from '../../machine/host/output-file.ts';
import { resultDocument, type StagingEnded } from '../../staging/droplet/result-document.ts';
import type { RunEvent } from '../../staging/launch/events.ts';
import type { HealthCheck } from '../../staging/launch/health.ts';
import { shellCommand } from '../../staging/launch/script.ts';
import type { RunResult } from '../../staging/launch/supervise.ts';
import { checkLimits } from '../../staging/request/request.ts';
import { run } from '../../staging/run-droplet.ts';
import { stage as stageApp } from '../../staging/stage.ts';
import { checkVariables } from '../../staging/vcap/names.ts';
import { parseServices, type Services } from '../../staging/vcap/services.ts';
import { cancelled } from '../../words/errors.ts';
import type { BuildEvent } from '../../words/events.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import { EventQueue, type QueueLimit } from './event-queue.ts';
import { type CommonOptions, configOf, requestOf, type StageOptions } from './options.ts';

/** An event without its text, in characters. */
const BARE = 200;
/** What the scripts of a staging write has no bound, and who only awaits the result reads none of it. */
const UNREAD: QueueLimit<BuildEvent> = {
  maxWeight: 16 * 1024 * 1024,
  weight: (event) => {
    if (event.type === 'progress') return BARE;
    return event.type === 'output' ? event.text.length + BARE : 0;
  },
  leftOut: (count) => ({
    type: 'warning',
    at: new Date().toISOString(),
    code: 'output-not-kept',
    message: `${count} events with output or progress were not kept: 16 Mi characters of them wait to be read`,
  }),
};

/**
 * A staging on its way. `for await (const event of staging)` gives every event from the first to `staging-ended`; of
 * output that nobody reads 16 Mi characters are kept, and a warning tells of the rest. `result` settles with the record,
 * or rejects with the {@link import('../../words/errors.ts').StagerError}.
 */
export interface StagingHandle extends AsyncIterable<BuildEvent> {
  readonly result: Promise<StagingRecord>;
}

/**
 * Stages an app. Several at once in one process are fine.
 *
 * @param options `onEvent` gets every event as it happens, beside or instead of the iterator.
 */
export function stage(
  options: StageOptions & { readonly onEvent?: (event: BuildEvent) => void },
): StagingHandle {
  const events = new EventQueue<BuildEvent>(UNREAD);
  const emit = (event: BuildEvent): void => {
    options.onEvent?.(event);
    events.push(event);
  };
  const result = stageWith(options, emit).finally(() => events.end());
  // Who only reads the events learns of a failure from the last one; that must not end their process.
  result.catch(() => undefined);
  return { result, [Symbol.asyncIterator]: () => events[Symbol.asyncIterator]() };
}

async function stageWith(options: StageOptions, emit: (event: BuildEvent) => void): Promise<StagingRecord> {
  const signal = options.signal ?? new AbortController().signal;
  const request = await requestOf(options);
  if (options.result !== undefined) await demandOutputFile(options.result);
  const stager = new Stager(await configOf(options));
  let ended: StagingEnded | undefined;
  const watch = (event: BuildEvent): void => {
    if (event.type === 'staging-ended') ended = event;
    emit(event);
  };
  try {
    return await stageApp(request, await stager.stagePorts(signal), { signal, emit: watch });
  } catch (error) {
    throw asCancelled(error, signal);
  } finally {
    await stager.close();
    if (options.result !== undefined && ended !== undefined) {
      await writeJsonFile(options.result, resultDocument(ended));
    }
  }
}

/** A caller's signal may have any reason; whatever it ends is CANCELLED. */
function asCancelled(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted ? cancelled(signal) : error;
}

/** Options of `runDroplet`. Sizes in MiB. */
export interface RunOptions extends CommonOptions {
  /** A file, a blobstore address, or the guid of a droplet or build; absent: the last one staged in this home. */
  readonly droplet?: string;
  /** Process type, default `web`; or a command to run once instead. */
  readonly process?: string;
  readonly command?: readonly string[];
  /** Absent: any free port. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly services?: string | Services;
  readonly appName?: string;
  /** Default 1024. */
  readonly memoryMb?: number;
  /** Default 4096. */
  readonly diskMb?: number;
  readonly healthCheck?: HealthCheck;
  readonly onEvent?: (event: RunEvent) => void;
}

/** A droplet that runs. */
export interface RunHandle {
  /** Where it listens; absent for a command. */
  readonly port?: number;
  /** Settles at the first passed health check, or when it ended before. */
  readonly ready: Promise<{ readonly healthy: boolean }>;
  /** Settles when everything is gone; `exitCode` is the app's. */
  readonly done: Promise<RunResult>;
  /** SIGTERM, and SIGKILL after ten seconds or `graceMs`. */
  stop(options?: { readonly graceMs?: number }): Promise<RunResult>;
}

/**
 * Starts a droplet.
 *
 * @throws StagerError DROPLET_NOT_FOUND, DROPLET_INVALID, NO_START_COMMAND, PORT_IN_USE, SANDBOX_UNAVAILABLE …
 */
export async function runDroplet(options: RunOptions): Promise<RunHandle> {
  const signal = options.signal ?? new AbortController().signal;
  const { services = {}, command, process: type, memoryMb, diskMb } = options;
  checkLimits({ memoryMb, diskMb });
  checkVariables(options.env ?? {}, 'env');
  const stager = new Stager(await configOf(options));
  try {
    const started = await run(
      {
        ...(options.droplet !== undefined && { droplet: options.droplet }),
        target:
          command === undefined
            ? { kind: 'process', ...(type !== undefined && { type }) }
            : { kind: 'task', command: shellCommand(command) },
        ...(options.port !== undefined && { port: options.port }),
        env: options.env ?? {},
        services: parseServices(
          typeof services === 'string' ? services : JSON.stringify(services),
          'services',
        ),
        ...(options.appName !== undefined && { appName: options.appName }),
        memoryMb: memoryMb ?? 1024,
        diskMb: diskMb ?? 4096,
        ...(options.stack !== undefined && { stack: options.stack }),
        network: options.network ?? 'host',
        ...(options.healthCheck !== undefined && { healthCheck: options.healthCheck }),
      },
      await stager.runPorts(signal),
      { signal, emit: (event) => options.onEvent?.(event) },
    );
    const done = started.done.finally(() => stager.close());
    const ready = started.ready.then(({ kind }) => ({ healthy: kind === 'healthy' }));
    // A caller may look at one of the two only, or later.
    done.catch(() => undefined);
    ready.catch(() => undefined);
    return {
      ...(started.port !== undefined && { port: started.port }),
      ready,
      done,
      stop: async (how) => {
        await started.stop(how);
        return await done;
      },
    };
  } catch (error) {
    await stager.close();
    throw asCancelled(error, signal);
  }
}
