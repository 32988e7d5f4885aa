/** Refuses options that the server decides. */
import { LOCAL_ONLY } from '../config/client-settings.ts';
import { StagerError } from '../words/errors.ts';

const local: ReadonlySet<string> = new Set(LOCAL_ONLY);

/** @param given keys of the settings or options that somebody gave. @throws StagerError USAGE. */
export function demandRemote(given: readonly string[]): void {
  const [first] = given.filter((key) => local.has(key));
  if (first === undefined) return;
  throw new StagerError('USAGE', `${first} cannot be used with a server: it has its own`, {
    next: `Leave ${first} out, or stage on this machine.`,
    details: { setting: first },
  });
}
