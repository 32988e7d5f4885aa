/** The library's `runDroplet`. */
import { openStager } from '../../compose.ts';
import type { Config } from '../../config/load.ts';
import type { RunEvent } from '../../staging/launch/events.ts';
import type { HealthCheck } from '../../staging/launch/health.ts';
import { shellCommand } from '../../staging/launch/start-script.ts';
import type { RunResult } from '../../staging/launch/supervise.ts';
import { checkLimits } from '../../staging/request/request.ts';
import { type RunWish, run } from '../../staging/run-droplet.ts';
import type { Services } from '../../staging/vcap/services.ts';
import { type CommonOptions, configOf, envOf, servicesOf } from './options.ts';
import { demandOneTarget, openRun, type RunHandle, type RunIo, type RunTargetOptions } from './run-handle.ts';

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
    /** File of `K=V` lines; `env` wins over it. */
    readonly envFile?: string;
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

/**
 * Starts a droplet. Failures (DROPLET_NOT_FOUND, DROPLET_INVALID, NO_START_COMMAND, PORT_IN_USE, SANDBOX_UNAVAILABLE …)
 * reject `ready` and `result`.
 */
export function runDroplet(options: RunOptions = {}): RunHandle {
  return openRun(options, (io) => runWith(options, io));
}

async function runWith(options: RunOptions, io: RunIo): Promise<RunResult> {
  const config = await configOf(options);
  const wish = wishOf(options, { ...config, env: await envOf(options) });
  await using stager = openStager(config);
  const started = await run(wish, await stager.runPorts(io.signal), io);
  io.started(started);
  return await started.done;
}

function wishOf(
  options: RunOptions,
  { settings, env }: Pick<Config, 'settings'> & Pick<RunWish, 'env'>,
): RunWish {
  const { memoryMb = settings.memory, diskMb = settings.disk } = options;
  checkLimits({ memoryMb, diskMb });
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

function targetOf(target: RunTargetOptions): RunWish['target'] {
  demandOneTarget(target);
  const { process: type, command } = target;
  if (command !== undefined) return { kind: 'task', command: shellCommand(command) };
  return { kind: 'process', ...(type !== undefined && { type }) };
}
