/** A whole deps/<idx> that is kept: what a runtime is made of does not depend on the app. */
import { Kept } from './kept.ts';
import type { StepContext } from './step.ts';

/** What it follows from, beside the buildpack's version, the stack and the machine; and what the log says of it. */
export interface KeptInstall {
  readonly name: string;
  readonly facts: readonly unknown[];
  readonly paths?: readonly string[];
}

/** Puts deps/<idx> back as the last staging left it after `install`, or runs that and keeps what it makes. */
export async function installOnce(
  context: Pick<StepContext, 'cacheDir' | 'dep' | 'dependencies' | 'env' | 'log' | 'version'>,
  { name, facts, paths = [] }: KeptInstall,
  install: () => Promise<void>,
): Promise<void> {
  const { cacheDir, dep, dependencies, env, log, version } = context;
  const kept = await Kept.of(cacheDir, name, {
    facts: [version, env['CF_STACK'], process.arch, ...facts],
    paths,
  });
  if (await kept.restore({ deps: dep.path })) {
    log.info(`Using ${name} of the last staging`);
    return dependencies.useAll(await dep.readInstalled());
  }
  await install();
  await dep.writeInstalled(dependencies.installed);
  await kept.keep({ deps: dep.path });
}
