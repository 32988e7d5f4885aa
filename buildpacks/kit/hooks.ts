/** Scripts of the app that run before and after a buildpack's own work. */
import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Argv, run } from './exec.ts';
import type { StepContext } from './step.ts';

/** What hooks need of a step. */
export type HookContext = Pick<StepContext, 'buildDir' | 'env' | 'log'>;

/**
 * Runs `bin/<name>` (`pre_compile`, `post_compile`) of the app where there is one, in the app's directory; by its own first line where it is
 * executable, else by bash.
 *
 * @throws BuildpackFailure when it ends with other than 0.
 */
export async function runHook(name: string, context: HookContext): Promise<void> {
  const { buildDir, env, log } = context;
  const script = join(buildDir, 'bin', name);
  const there = await stat(script).catch(() => undefined);
  if (there?.isFile() !== true) return;
  log.step(`Running bin/${name}`);
  const executable = await access(script, constants.X_OK).then(
    () => true,
    () => false,
  );
  const argv: Argv = executable ? [script] : ['bash', script];
  await run(argv, {
    cwd: buildDir,
    env,
    next: `The app's own script bin/${name} failed; see its output above.`,
  });
}
