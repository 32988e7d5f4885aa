/** Variables that mean something to another buildpack for the same language, and nothing here. */
import type { StepContext } from './step.ts';

/** A line for each that is set, with why, or what takes its place. */
export function tellIgnoredVariables(
  { env, log }: Pick<StepContext, 'env' | 'log'>,
  ignored: Readonly<Record<string, string>>,
): void {
  for (const [name, why] of Object.entries(ignored)) {
    if ((env[name] ?? '') !== '') log.warning(`${name} is ignored: ${why}.`);
  }
}
