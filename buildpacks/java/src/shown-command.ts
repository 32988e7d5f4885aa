/** The line that the log shows before a build tool runs. */
import type { Argv, StepContext } from '../../kit/index.ts';

/** @param home of the tool; it and the directories of this staging are left out. */
export function shownCommand(argv: Argv, home: string, { cacheDir, dep }: StepContext): string {
  const places = [`${home}/bin/`, `${cacheDir}/`, `${dep.path}/`];
  return `$ ${places.reduce((text, place) => text.replaceAll(place, ''), argv.join(' '))}`;
}
