/** Finds out how much a process can give up here, by trying. */
import { join } from 'node:path';
import { ownGrants } from '../kernel/grants.ts';
import { attempt, describeFailure, writeProgram } from '../kernel/run-list.ts';
import { isStarterArch } from '../kernel/starter.ts';
import { type Confinement, probeList } from './confine.ts';
import { LANDLOCK_VERSIONS } from './landlock.ts';
import { userRange } from './users.ts';

/** Its name below the directory of this process. */
export const STARTER = 'starter';

/** The starter as a file, and what it can do here. */
export interface ProcessPlan {
  readonly starter: string;
  readonly confinement: Confinement;
}

/** Makes the starter in `directory` and tries it: the plan, or why there is none. */
export async function planProcess(directory: string): Promise<ProcessPlan | { readonly why: string }> {
  const { arch } = process;
  if (!isStarterArch(arch)) return { why: `not written for ${arch}` };
  const starter = join(directory, STARTER);
  await writeProgram(starter, arch);
  const grants = await ownGrants();
  const isRoot = process.getuid?.() === 0;
  const other = isRoot ? await userRange() : undefined;
  const users = other === undefined ? [undefined] : [other.first, undefined];
  const tried: string[] = [];
  for (const user of users) {
    for (const landlock of [...LANDLOCK_VERSIONS, 0] as const) {
      const confinement = { arch, user, landlock, grants };
      const failure = await attempt(starter, join(directory, 'probe'), probeList(confinement));
      if (failure === undefined) return { starter, confinement };
      const text = describeFailure(failure);
      if (!tried.includes(text)) tried.push(text);
      if (!failure.what.startsWith('landlock_')) break;
    }
  }
  return { why: tried.join('; ') };
}
