/** argv → command → exit status. The only place that ends the process. */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { type Command, CommanderError } from 'commander';
import { usualCacheHome } from '../../config/homes.ts';
import { keepCompiledCode } from '../../machine/host/compiled-code.ts';
import { endProcess, written } from '../../machine/host/end-process.ts';
import { watchHeap } from '../../machine/host/heap-growth.ts';
import { ownVersion } from '../../machine/host/own-package.ts';
import { takeUmask } from '../../machine/host/umask.ts';
import { CODES, StagerError } from '../../words/errors.ts';
import { createProgram, type LoadAction } from './program.ts';
import { createOutput, type Output } from './terminal/output.ts';
import { ownStreams } from './terminal/streams.ts';

/** What a reader of stdout gets to catch up after Ctrl-C. */
const LAST_WORDS_MS = 500;

/** They serve many at once, and bin/stager gives them more. */
const SERVERS: ReadonlySet<string> = new Set(['serve', 'worker']);

// Without `await` at the top: this is bundled as CommonJS, which starts faster.
void main(process.argv);

async function main(argv: readonly string[]): Promise<void> {
  takeUmask();
  if (!SERVERS.has(argv[2] ?? '')) watchHeap();
  const controller = new AbortController();
  cancelOn('SIGINT', controller);
  cancelOn('SIGTERM', controller);
  ignoreClosedPipes();
  // A file that may not grow (ulimit -f) is an error with a reason, not the end.
  process.on('SIGXFSZ', () => {});
  let exit = 0;
  const load: LoadAction = async (spec) => {
    keepCompiledCode(usualCacheHome());
    const { loadAction } = await import('./run-command.ts');
    return await loadAction(spec, controller.signal);
  };
  const done = (status: number): void => {
    exit = status;
  };
  const program = createProgram(ownVersion(), { argv, load, done });
  overrideExit(program);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    exit = await failed(error, argv);
  }
  // Nothing may hold the process once the command is done: an idle keep-alive socket is not a reason to wait.
  const { stdout, stderr } = ownStreams();
  await Promise.race([written(stdout, stderr), impatience(controller.signal)]);
  endProcess(exit);
}

function overrideExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExit(child);
}

async function failed(error: unknown, argv: readonly string[]): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : CODES.USAGE.exit;
  const { reportError } = await import('./terminal/report-error.ts');
  return reportError(error, outputFor(argv));
}

/** An output for failures that come before a command could make its own. */
function outputFor(argv: readonly string[]): Output {
  const options = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined);
  return createOutput({
    json: options.includes('--json'),
    ...ownStreams(),
    noColor: true,
  });
}

/** The first signal cancels, the second ends the process at once. */
function cancelOn(name: 'SIGINT' | 'SIGTERM', controller: AbortController): void {
  const exit = name === 'SIGINT' ? 130 : 143;
  process.on(name, () => {
    if (controller.signal.aborted) endProcess(exit);
    controller.abort(new StagerError('CANCELLED', `cancelled by ${name}`, { details: { signal: name } }));
  });
}

/** Whoever cancelled does not wait for a reader that does not read. */
async function impatience(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
  await setTimeout(LAST_WORDS_MS);
}

/** `stager … | head` ends quietly. */
function ignoreClosedPipes(): void {
  const { stdout, stderr } = ownStreams();
  for (const stream of [process.stdout, process.stderr, stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
