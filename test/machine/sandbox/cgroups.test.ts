import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cgroupAdvice } from '../../../src/machine/doctor/cgroup-advice.ts';
import {
  cgroupDirectories,
  describeCgroups,
  memoryUse,
  planCgroups,
} from '../../../src/machine/sandbox/kernel/cgroups.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stager-cgroup-test-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const make = (path: string, files: Readonly<Record<string, string>> = {}): void => {
  mkdirSync(join(root, path), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, path, name), text);
};
const v1 = (name: string, from = '/'): string =>
  `30 25 0:26 ${from} ${root}/${name} rw,nosuid shared:9 - cgroup cgroup rw,${name}\n`;
const v2 = (path: string, from = '/'): string =>
  `40 25 0:30 ${from} ${root}${path} rw - cgroup2 cgroup2 rw\n`;

describe('cgroups', () => {
  it('of version 1 are made below our own, for each controller its own', async () => {
    make('memory/system/stager', { 'memory.memsw.usage_in_bytes': '0' });
    make('pids');
    make('cpu,cpuacct');
    const plan = await planCgroups({
      mountInfo: `${v1('memory')}${v1('pids')}30 25 0:27 / ${root}/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n`,
      ownCgroup: '5:memory:/system/stager\n4:pids:/\n3:cpu,cpuacct:/\n',
    });
    expect(plan).toMatchObject({ mode: 'v1', pathPrefix: '', swap: true, reasons: {} });
    expect(cgroupDirectories(plan, 'x')).toEqual([
      `${root}/memory/system/stager/x`,
      `${root}/pids/x`,
      `${root}/cpu,cpuacct/x`,
    ]);
  });

  it('of version 1 beside a mount of version 2 are hybrid and limits come from version 1', async () => {
    make('memory');
    make('unified');
    const plan = await planCgroups({
      mountInfo: `${v1('memory')}${v2('/unified')}`,
      ownCgroup: '4:memory:/\n0::/\n',
    });
    expect(describeCgroups(plan)).toBe('cgroup v1 (hybrid)');
    expect(plan).toMatchObject({ mode: 'hybrid', swap: false });
    expect(plan.reasons).toEqual({
      pids: 'the pids controller is not mounted',
      cpu: 'the cpu controller is not mounted',
    });
  });

  it('in a container are found below what its mount shows', async () => {
    make('memory/inner');
    const plan = await planCgroups({
      mountInfo: v1('memory', '/docker/abc'),
      ownCgroup: '4:memory:/docker/abc/inner\n',
    });
    expect(plan.parents.memory).toBe(`${root}/memory/inner`);
  });

  it('of version 2 are made beside our own, where controllers are on', async () => {
    make('unified/user.slice/app');
    make('unified/user.slice', { 'cgroup.subtree_control': 'cpu memory pids\n' });
    const plan = await planCgroups({ mountInfo: v2('/unified'), ownCgroup: '0::/user.slice/app\n' });
    expect(plan).toMatchObject({ mode: 'v2', pathPrefix: '/user.slice/', swap: true });
    expect(cgroupDirectories(plan, 'x')).toEqual([`${root}/unified/user.slice/x`]);
    expect(plan.reasons).toEqual({});
  });

  it('of version 2 that cannot be turned on are tried further up and then named', async () => {
    // A plain file does not take the controllers that are written to it, as a cgroup with processes does not.
    make('unified/user.slice/app');
    make('unified/user.slice', { 'cgroup.subtree_control': '' });
    const plan = await planCgroups({ mountInfo: v2('/unified'), ownCgroup: '0::/user.slice/app\n' });
    expect(describeCgroups(plan)).toBe('no cgroup (v2)');
    expect(plan.reasons.memory).toContain(`${root}/unified/user.slice: its controllers are not delegated`);
    expect(plan.reasons.memory).toContain(`${root}/unified/: its controllers are not delegated`);
  });

  it('that nothing is limited in are not joined, unless a start waits for no fork anyway', async () => {
    make('memory/own');
    const lines = (unified: string): string => `${v1('memory', '/')}
31 24 0:27 / ${root}/freezer rw - cgroup cgroup rw,freezer
32 24 0:28 / ${root}/devices rw - cgroup cgroup rw,devices
33 24 0:29 / ${root}/unified rw - cgroup2 cgroup2 ${unified}
`;
    const ownCgroup = '4:memory:/own\n';
    const slow = await planCgroups({ mountInfo: lines('rw'), ownCgroup });
    expect(slow.idle).toEqual([`${root}/freezer`, `${root}/unified`]);
    const fast = await planCgroups({ mountInfo: lines('rw,favordynmods'), ownCgroup });
    expect(fast.idle).toEqual([]);
  });

  it('that are not mounted are said to be missing', async () => {
    const plan = await planCgroups({ mountInfo: '', ownCgroup: '' });
    expect(plan).toMatchObject({ mode: 'none', reasons: { memory: 'no cgroup file system is mounted' } });
  });

  it('tell the peak and the kills of both versions', async () => {
    make('a/x', { 'memory.max_usage_in_bytes': '123\n', 'memory.oom_control': 'under_oom 0\noom_kill 2\n' });
    make('b/x', { 'memory.peak': '456\n', 'memory.events': 'oom 1\noom_kill 3\noom_group_kill 0\n' });
    const plan = { swap: false, reasons: {}, pathPrefix: '', everywhere: [], idle: [] };
    const old = { ...plan, mode: 'v1' as const, parents: { memory: join(root, 'a') } };
    const fresh = { ...plan, mode: 'v2' as const, parents: { memory: join(root, 'b') } };
    expect(await memoryUse(old, 'x')).toEqual({ peakBytes: 123, oomKills: 2 });
    expect(await memoryUse(fresh, 'x')).toEqual({ peakBytes: 456, oomKills: 3 });
    expect(await memoryUse(fresh, 'gone')).toEqual({ oomKills: 0 });
  });
});

describe('advice for a controller that can not be used', () => {
  const there = { memory: '/sys/fs/cgroup' };
  it.each([
    { mode: 'none', isRoot: true, parents: {}, says: /^mount them: mount -t cgroup2 .* writable/ },
    { mode: 'none', isRoot: false, parents: {}, says: /^mount them/ },
    { mode: 'v2', isRoot: false, parents: {}, says: /Delegate=cpu memory pids/ },
    { mode: 'v2', isRoot: true, parents: there, says: /echo \+pids > .*subtree_control/ },
    { mode: 'v2', isRoot: true, parents: {}, says: /without processes; in a container/ },
    { mode: 'v1', isRoot: false, parents: {}, says: /^run stager as root/ },
    { mode: 'hybrid', isRoot: true, parents: there, says: /^mount it .* -o pids pids/ },
  ] as const)('is one line: $mode, as root $isRoot, with $parents', ({ mode, isRoot, parents, says }) => {
    const advice = cgroupAdvice({ mode, parents }, 'pids', isRoot);
    expect(advice).toMatch(says);
    expect(advice).not.toContain('\n');
  });
});
