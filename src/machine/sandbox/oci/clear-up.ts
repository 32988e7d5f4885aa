/** What a warden cleans up when a stager that ran containers was killed. */
import { MOUNTS_FILE } from '../volume/unmount.ts';

/** What there is to clear up. */
export interface ContainerDuty {
  /** State directory of this process; holds `runs/ID`. When it is gone there is nothing to do. */
  readonly home: string;
  readonly runtime: string;
  /** Directories in which the cgroups of runs are made. */
  readonly cgroups: readonly string[];
  /** A container that is not guarded has to be killed through its runtime. */
  readonly kills: boolean;
}

/** Arguments of {@link CLEAR_UP}. */
export function clearUpArguments({ home, runtime, cgroups, kills }: ContainerDuty): readonly string[] {
  return [home, runtime, kills ? 'yes' : 'no', ...cgroups];
}

/** For /bin/sh. */
export const CLEAR_UP = `
cd "$1" 2>/dev/null || exit 0
runtime=$2
kills=$3
shift 3
# A guard whose maker died in the moment before it was tied to it.
for file in $(grep -lF -e "$PWD/state" /proc/[0-9]*/cmdline); do
  pid=\${file#/proc/}
  [ "\${pid%/cmdline}" = $$ ] || kill -KILL "\${pid%/cmdline}"
done
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
# A mount that was being made when its maker died may come a moment later.
rounds=0
while [ -f ${MOUNTS_FILE} ] && [ $rounds -lt 5 ]; do
  while IFS= read -r mount; do umount -l "$mount"; done <${MOUNTS_FILE}
  rounds=$((rounds + 1))
  sleep 0.2
done
exit 0
`;
