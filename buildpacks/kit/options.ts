/** Options of Cloud Foundry's, Heroku's and Paketo's buildpacks that an app has, and what they do here. */
import { join } from 'node:path';
import { isThere } from './files.ts';
import { tellIgnoredVariables } from './ignored.ts';
import type { StepContext } from './step.ts';

/** By name: one with a dot or a slash is a file of the app, any other a variable. */
export interface OptionTable {
  /** What has an effect: `honoured`, `replaced: …`. */
  readonly works: Readonly<Record<string, string>>;
  /** Variables without an effect: why, or what takes their place. */
  readonly ignored: Readonly<Record<string, string>>;
}

/** A table of those that the app has, and a warning for each that is ignored; nothing for an app without any. */
export async function tellOptions(
  context: Pick<StepContext, 'buildDir' | 'env' | 'log'>,
  { works, ignored }: OptionTable,
): Promise<void> {
  const { buildDir, env, log } = context;
  const found: [string, string][] = [];
  for (const [name, effect] of Object.entries(works)) {
    const has = /[./]/.test(name) ? await isThere(join(buildDir, name)) : (env[name] ?? '') !== '';
    if (has) found.push([name, effect]);
  }
  if (found.length > 0) log.info('Options of this app that other buildpacks have too:');
  const width = Math.max(0, ...found.map(([name]) => name.length));
  for (const [name, effect] of found) log.info(`  ${name.padEnd(width)}  ${effect}`);
  tellIgnoredVariables(context, ignored);
}
