/** Limits that can't be enforced by containers of a kind, each with the reason. */
import { CONTROLLERS, isHeld } from '../kernel/cgroups.ts';
import type { Grants } from '../kernel/grants.ts';
import type { Sandbox } from '../port/sandbox.ts';
import type { OciOptions } from './oci.ts';

/** What programs of an app are granted elsewhere, and can't be here. */
export function tooLittle({ openFiles }: Grants): Sandbox['unenforced'] {
  if (openFiles >= USUAL_OPEN_FILES) return [];
  const reason = `stager itself may open ${openFiles} files only; raise its hard limit (ulimit -Hn)`;
  return [{ limit: 'openFiles', reason }];
}

/** As on a Cloud Foundry cell. */
const USUAL_OPEN_FILES = 16_384;

const LIMIT_OF = { memory: 'memoryBytes', pids: 'pids', cpu: 'cpuShares' } as const;

/** What no cgroup holds, and why. */
export function unenforced({ cgroups, ids, runtime, guard }: OciOptions): Sandbox['unenforced'] {
  const list: { limit: Sandbox['unenforced'][number]['limit']; reason: string }[] = [];
  for (const name of CONTROLLERS) {
    const reason = cgroups.reasons[name];
    if (isHeld(cgroups, name) || reason === undefined) continue;
    // A limit of processes of a user holds in its place where the user is the sandbox's own.
    if (name === 'pids' && ids.mappings !== undefined && runtime.name !== 'runsc') continue;
    const watched = name === 'memory' ? 'it is only watched, five times a second, since ' : '';
    list.push({ limit: LIMIT_OF[name], reason: `${watched}${reason}` });
  }
  if (guard === undefined) {
    list.push({
      limit: 'lifetime',
      reason: 'setpriv, unshare and nsenter (util-linux) are missing or not allowed to work',
    });
  }
  return list;
}
