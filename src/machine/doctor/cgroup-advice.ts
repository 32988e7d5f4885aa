import type { CgroupPlan, Controller } from '../sandbox/kernel/cgroups.ts';

/** What to do so that a controller which can't be used can be: one line for each way in which it is missing. */
export function cgroupAdvice(
  { mode, parents }: Pick<CgroupPlan, 'mode' | 'parents'>,
  name: Controller,
  isRoot = process.getuid?.() === 0,
): string {
  const othersAreThere = Object.keys(parents).length > 0;
  switch (mode) {
    case 'none':
      return `mount them: mount -t cgroup2 none /sys/fs/cgroup; ${OF_CONTAINERS}`;
    case 'v2':
      if (!isRoot)
        return 'as root: loginctl enable-linger USER, and `systemctl edit user@.service` with [Service] Delegate=cpu memory pids; then log in again';
      return othersAreThere
        ? `turn it on: echo +${name} > /sys/fs/cgroup/cgroup.subtree_control; if that fails, boot with cgroup_enable=${name} or a kernel that has it`
        : `let root write to /sys/fs/cgroup, or give stager a cgroup without processes; ${OF_CONTAINERS}`;
    case 'v1':
    case 'hybrid':
      if (!isRoot)
        return 'run stager as root, or boot with systemd.unified_cgroup_hierarchy=1, so that the service manager of a user can limit';
      return `mount it where it is missing: mount -t cgroup -o ${name} ${name} /sys/fs/cgroup/${name}; ${OF_CONTAINERS}`;
  }
}

const OF_CONTAINERS =
  'in a container, start it with a writable /sys/fs/cgroup (docs/sandbox.md), or limit the container itself';
