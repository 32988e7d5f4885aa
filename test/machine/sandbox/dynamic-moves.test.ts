import { describe, expect, it } from 'vitest';
import { dynamicMoves } from '../../../src/machine/sandbox/kernel/dynamic-moves.ts';

const mountInfo = (superOptions: string): string =>
  `31 24 0:27 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup2 ${superOptions}\n`;

describe('cgroups that a process joins without waiting for forks elsewhere', () => {
  it('are turned on by a remount that keeps every option', async () => {
    const moves = await dynamicMoves({
      mountInfo: mountInfo('rw,nsdelegate,memory_recursiveprot'),
      kernel: '6.18.44-generic',
    });
    expect(moves).toMatchObject({ kind: 'off', mountPoint: '/sys/fs/cgroup' });
    expect(moves.kind === 'off' && moves.command.join(' ')).toBe(
      'mount -o remount,rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot,favordynmods /sys/fs/cgroup',
    );
  });

  it('are left alone where they are on', async () => {
    expect(await dynamicMoves({ mountInfo: mountInfo('rw,favordynmods'), kernel: '7.0.1' })).toEqual({
      kind: 'on',
    });
  });

  it.each([
    ['6.17.9', mountInfo('rw'), 'kernel 6.17.9 is older than 6.18'],
    ['5.10.0-28-amd64', mountInfo('rw'), 'kernel 5.10.0-28-amd64 is older than 6.18'],
    ['6.18.0', '31 24 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n', 'no cgroup2 file system'],
  ])('are not to be had with kernel %s and %s', async (kernel, info, why) => {
    const moves = await dynamicMoves({ mountInfo: info, kernel });
    expect(moves).toMatchObject({ kind: 'unknown' });
    expect(moves.kind === 'unknown' && moves.why).toContain(why);
  });
});
