/**
 * A small shell that outlives this process and clears up what only somebody alive can: cgroups, mounts, and
 * processes where no guard holds them. It waits for the end of a pipe, which ends with this process, however that ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** What there is to clear up. */
export interface WardenDuty {
  /** State directory of this process; holds `runs/ID`. When it is gone there is nothing to do. */
  readonly home: string;
  readonly runtime: string;
  /** Directories in which the cgroups of runs are made. */
  readonly cgroups: readonly string[];
  /** A container that is not guarded has to be killed through its runtime. */
  readonly kills: boolean;
}

/** Below `home`: paths of mounts to undo, one a line. */
export const MOUNTS_FILE = 'mounts';

const SCRIPT = `
trap '' HUP INT QUIT TERM PIPE
read -r nothing
cd "$1" 2>/dev/null || exit 0
runtime=$2
kills=$3
shift 3
for run in runs/*; do
  [ -d "$run" ] || continue
  id=\${run#runs/}
  [ "$kills" = no ] || "$runtime" --root "$PWD/state" delete --force "$id"
  tries=0
  for parent in "$@"; do
    while [ -d "$parent/$id" ] && [ $tries -lt 100 ]; do
      while read -r pid; do kill -KILL "$pid"; done <"$parent/$id/cgroup.procs"
      rmdir "$parent/$id" && break
      tries=$((tries + 1))
      sleep 0.02
    done
  done
done
[ -f ${MOUNTS_FILE} ] && while read -r mount; do umount -l "$mount"; done <${MOUNTS_FILE}
exit 0
`;

/** See the top of the file. */
export class Warden {
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;

  constructor({ home, runtime, cgroups, kills }: WardenDuty) {
    const args = ['-c', SCRIPT, 'stager-warden', home, runtime, kills ? 'yes' : 'no', ...cgroups];
    const child = spawn('/bin/sh', args, {
      // A session of its own: what is sent to our process group is not meant for it.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    this.#child = child;
    this.#gone = new Promise((resolve) => {
      child.once('exit', () => resolve());
      // Without it the next start clears up.
      child.once('error', () => resolve());
    });
    child.stdin?.on('error', () => undefined);
    child.unref();
    if (child.stdin !== null && 'unref' in child.stdin && typeof child.stdin.unref === 'function') {
      child.stdin.unref();
    }
  }

  /** Sends it home. Call it when nothing is left to clear up. */
  async dismiss(): Promise<void> {
    this.#child.stdin?.end();
    this.#child.ref();
    await this.#gone;
  }
}
