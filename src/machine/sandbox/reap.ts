/**
 * Removes what stagers left that were killed: containers, cgroups, composed roots. What belongs to a process that
 * lives is never touched.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { parseJson } from '../../words/json.ts';
import { namesNow } from '../host/names-in.ts';
import { deadDirectories, RUNTIME_STATE, removeDirectory } from './child/state-directory.ts';
import { removeCgroups } from './kernel/cgroups.ts';
import { OWNER_FILE } from './oci/oci.ts';
import { deleteArguments } from './oci/runtime.ts';
import { STARTER } from './process/plan.ts';
import { ENDS } from './process/process.ts';
import { toldMounts, unmountAt } from './volume/unmount.ts';

const Owner = z.object({
  runtime: z.object({ path: z.string() }),
  cgroups: z.array(z.string()),
  guarded: z.boolean().optional(),
});

/**
 * Sweeps a state directory.
 *
 * @returns the ids of the containers that were removed.
 */
export async function reap(stateDir: string): Promise<string[]> {
  const removed: string[] = [];
  for (const directory of deadDirectories(stateDir)) {
    await endLeftUsers(directory);
    const ids = namesNow(join(directory, 'runs'));
    const owner = await readOwner(directory);
    for (const id of ids) {
      if (owner !== undefined) await removeContainer(directory, id, owner);
      removed.push(id);
    }
    for (const point of await toldMounts(directory)) await unmountAt(point);
    // Another user's is left to that one.
    await removeDirectory(directory).catch(() => undefined);
  }
  return removed;
}

/** Of confined processes, should the warden have been killed as well; each list ends all that one user runs. */
async function endLeftUsers(directory: string): Promise<void> {
  const lists = namesNow(join(directory, ENDS));
  for (const list of lists)
    await execa(join(directory, STARTER), [join(directory, ENDS, list)], {
      reject: false,
      stdin: 'ignore',
      env: {},
    });
}

async function removeContainer(directory: string, id: string, owner: z.infer<typeof Owner>): Promise<void> {
  // A guarded container is dead, and its pids were of another namespace: whom would the runtime kill?
  if (owner.guarded !== true) {
    const files = { id, logFile: join(directory, 'reap.json') };
    const args = deleteArguments(join(directory, RUNTIME_STATE), files);
    await execa(owner.runtime.path, args, { reject: false, stdin: 'ignore', env: {} });
  }
  await removeCgroups(owner.cgroups.map((parent) => join(parent, id)));
}

async function readOwner(directory: string): Promise<z.infer<typeof Owner> | undefined> {
  // Made right after the directory: a process that died between the two had run nothing.
  const text = await readFile(join(directory, OWNER_FILE), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Owner.safeParse(parseJson(text)).data;
}
