/** The app's directory, for the user who will run it. */
import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../failure.ts';

/**
 * Gives the group what the owner may. On Cloud Foundry an app runs as the user that staged it, and start scripts write
 * into its directory; elsewhere users differ, and share a group.
 *
 * @returns false when something there belongs to somebody else.
 */
export function shareApp(path: string): boolean {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) return true;
  const shared = stats.mode | ((stats.mode & 0o700) >> 3);
  let all = shared === stats.mode || mayChange(path, shared & 0o7777);
  if (!stats.isDirectory()) return all;
  for (const name of readdirSync(path)) all = shareApp(join(path, name)) && all;
  return all;
}

function mayChange(path: string, mode: number): boolean {
  try {
    chmodSync(path, mode);
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
    return false;
  }
}
