/** `stager run`: a droplet's process with its sidecars, or one command in its environment. */
import type { HealthCheck } from '../../../staging/launch/health.ts';
import type { RunTarget } from '../../../staging/launch/run-request.ts';
import { shellCommand } from '../../../staging/launch/start-script.ts';
import { readEnv, readServices } from '../../../staging/request/request.ts';
import { run } from '../../../staging/run-droplet.ts';
import { checkVariables } from '../../../staging/vcap/names.ts';
import { CODES, StagerError } from '../../../words/errors.ts';
import { parseDuration } from '../../../words/units.ts';
import type { Context } from '../input/context.ts';
import { namedImageOf } from '../input/named-image.ts';
import { oneLine } from '../terminal/harmless.ts';
import { runRenderer } from '../terminal/render-run.ts';
import { reportError } from '../terminal/report-error.ts';

/** Runs to the end; the exit status is that of the app. */
export async function runCommand(context: Context): Promise<number> {
  const { config, signal, output } = context;
  const { settings } = config;
  const { droplet, command } = positional(context);
  const env = await readEnv(settings.env ?? [], settings.envFile);
  checkVariables(env, '--env and --env-file');
  const image = namedImageOf(context);
  if (image !== undefined) {
    if (droplet !== undefined) throw twoThings(droplet, image);
    const { flags } = context;
    const { runNamedImage } = await import('./docker-image.ts');
    return await runNamedImage(context, {
      image,
      command,
      env,
      ...(typeof flags['process'] === 'string' && { process: flags['process'] }),
      ...(flags['port'] !== undefined && { port: portOf(flags['port']) }),
      ...healthCheckOf(context),
    });
  }
  const stager = await context.stager();
  const started = await run(
    {
      ...(droplet !== undefined && { droplet }),
      target: targetOf(context, command),
      ...(context.flags['port'] !== undefined && { port: portOf(context.flags['port']) }),
      ...(context.flags['expose'] === true && { expose: true }),
      env,
      services: await readServices(settings.services),
      ...(settings.appName !== undefined && { appName: settings.appName }),
      memoryMb: settings.memory,
      diskMb: settings.disk,
      usual: { memory: !config.given.has('memory'), disk: !config.given.has('disk') },
      ...(config.given.has('stack') && { stack: settings.stack }),
      network: settings.network,
      ...healthCheckOf(context),
    },
    await stager.runPorts(signal),
    { signal, emit: runRenderer(output, { task: command.length > 0 }) },
  );
  const { record } = started;
  if (record !== undefined && !output.json && !output.quiet) {
    output.note(`app ${oneLine(record.app.name)}, staged ${record.startedAt} as ${record.build}`);
  }
  if (started.port !== undefined && answers(context) && !output.json && !output.quiet) {
    output.note(`will listen on http://localhost:${started.port}`);
  }
  const { end, exitCode } = await started.done;
  if (end.kind !== 'unhealthy') return exitCode;
  reportError(end.failure, output);
  return CODES[end.failure.code].exit;
}

/** `[droplet] [-- command…]`: what comes after `--` is the command, so one word before it is the droplet. */
function positional({ args, afterDashes }: Context): {
  readonly droplet?: string;
  readonly command: readonly string[];
} {
  const words = args.flat().filter((word) => typeof word === 'string');
  const before = words.slice(0, words.length - afterDashes.length);
  const [droplet, ...rest] = before;
  if (rest.length > 0) {
    throw new StagerError('USAGE', `only one droplet can be run at a time: ${before.join(' ')}`, {
      next: 'Write a command after --, as in stager run -- node --version.',
    });
  }
  return { ...(droplet !== undefined && { droplet }), command: afterDashes };
}

function twoThings(droplet: string, image: string): StagerError {
  return new StagerError('USAGE', `a droplet and an image cannot be used together: ${droplet}, ${image}`, {
    next: 'Leave one of them out.',
  });
}

function targetOf({ flags }: Context, command: readonly string[]): RunTarget {
  if (command.length > 0) return { kind: 'task', command: shellCommand(command) };
  const type = flags['process'];
  return { kind: 'process', ...(typeof type === 'string' && { type }) };
}

function portOf(text: unknown): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new StagerError('USAGE', `--port ${JSON.stringify(text)} is not a port`, {
    next: 'Give a number from 1 to 65535.',
  });
}

/** Whether something is expected to listen, and can be reached from here. */
function answers(context: Context): boolean {
  const type = healthCheckOf(context).healthCheck?.type ?? usualCheck(context);
  return type !== 'process' && context.config.settings.network !== 'none';
}

function usualCheck({ flags }: Context): HealthCheck['type'] {
  return (flags['process'] ?? 'web') === 'web' ? 'port' : 'process';
}

function healthCheckOf(context: Context): { readonly healthCheck?: HealthCheck } {
  const { healthCheck, healthCheckEndpoint: endpoint, startTimeout: timeout } = context.flags;
  if (healthCheck === undefined && endpoint === undefined && timeout === undefined) return {};
  const usual = endpoint !== undefined ? 'http' : usualCheck(context);
  return {
    healthCheck: {
      type: healthCheck === undefined ? usual : checkType(healthCheck),
      ...(endpoint !== undefined && { httpEndpoint: String(endpoint) }),
      ...(timeout !== undefined && { startTimeoutMs: startTimeout(String(timeout)) }),
    },
  };
}

function checkType(text: unknown): 'port' | 'http' | 'process' {
  if (text === 'port' || text === 'http' || text === 'process') return text;
  throw new StagerError('USAGE', `--health-check ${JSON.stringify(text)} is not known`, {
    next: 'Use port, http or process.',
  });
}

function startTimeout(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined) return milliseconds;
  throw new StagerError('USAGE', `--start-timeout ${JSON.stringify(text)} is not a time`, {
    next: 'Write 90s or 3m.',
  });
}
