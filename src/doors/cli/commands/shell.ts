/** `stager shell`: an interactive shell, or one command, in the sandbox of a staging. */
import { isatty } from 'node:tty';
import { terminalKind } from '../../../config/terminal.ts';
import { StagerError } from '../../../words/errors.ts';
import type { BuildEvent } from '../../../words/events.ts';
import { phaseName } from '../../../words/phases.ts';
import { openShell } from '../../../workshop/shell.ts';
import type { Context } from '../input/context.ts';
import { stageTargets } from '../input/manifest-apps.ts';
import { type StageTarget, stageRequest } from '../input/stage-request.ts';

/** Opens it; stdout belongs to the shell, so everything of ours goes to stderr. The shell's status is ours. */
export async function shellInSandbox(context: Context): Promise<number> {
  const { config, output, signal, args, flags } = context;
  const { workspace, command } = flags;
  if (workspace !== undefined && args[0] !== undefined) throw hasItsApp();
  const target = only(await stageTargets(context));
  const isTerminal = isatty(0) && isatty(1);
  const stager = await context.stager();
  return await openShell(
    {
      request: await stageRequest(config, target),
      ...(typeof workspace === 'string' && { workspace }),
      ...(typeof command === 'string' && { command }),
      ...(isTerminal && { terminal: terminalKind() }),
    },
    await stager.stagePorts(signal),
    {
      signal,
      emit: (event) => tell(event, context),
      onReady: (place) => {
        if (command !== undefined || !isTerminal || output.quiet) return;
        const fate = workspace !== undefined || config.settings.keep === 'always' ? 'stays' : 'is removed';
        const beside = place.buildpacks.length === 0 ? '' : ` with ${place.buildpacks.join(', ')}`;
        output.note(
          `A shell in ${place.cwd}${beside}. Leave it with exit; the workspace ${fate}: ${place.workspace}`,
        );
      },
    },
  );
}

function only([target, ...others]: readonly StageTarget[]): StageTarget {
  if (target !== undefined && others.length === 0) return target;
  throw new StagerError(
    'USAGE',
    `the manifest has ${others.length + 1} applications, but a shell is for one`,
    {
      next: 'Choose one with --app-name.',
    },
  );
}

function hasItsApp(): StagerError {
  return new StagerError('USAGE', 'a kept workspace already has its app', {
    next: 'Leave out SOURCE, or leave out --workspace to make a new one.',
  });
}

function tell(event: BuildEvent, { output }: Context): void {
  if (event.type === 'warning' && !output.quiet) output.note(`warning ${event.message}`);
  if (event.type === 'phase-ended' && output.verbose) {
    output.note(`${phaseName(event.phase)}: ${event.note ?? event.outcome}`);
  }
}
