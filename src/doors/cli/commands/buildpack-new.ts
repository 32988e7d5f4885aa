/** `stager buildpack new`: the skeleton of a buildpack. */
import { relative } from 'node:path';
import { StagerError } from '../../../words/errors.ts';
import { newBuildpack } from '../../../workshop/new-buildpack.ts';
import type { Context } from '../input/context.ts';
import { KIT } from '../input/kit.ts';

/** Writes it and says what to do next. */
export async function buildpackNew({ output, args, flags }: Context): Promise<number> {
  const { language = 'sh', dir } = flags;
  if (language !== 'sh' && language !== 'ts') {
    throw new StagerError('USAGE', `--language ${JSON.stringify(language)} is not known`, {
      next: 'Use sh or ts.',
    });
  }
  const made = await newBuildpack({
    name: String(args[0]),
    language,
    kit: KIT,
    ...(typeof dir === 'string' && { dir }),
  });
  if (output.json) {
    output.object({ type: 'created', ...made });
    return 0;
  }
  const shown = relative('.', made.dir) || '.';
  for (const file of made.files) output.line(`${shown}/${file}`);
  if (!output.quiet) output.note(`Next: stager buildpack test ${shown}`);
  return 0;
}
