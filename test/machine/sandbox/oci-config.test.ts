import { describe, expect, it } from 'vitest';
import { outcomeOf } from '../../../src/machine/sandbox/child/outcome.ts';
import { mostTelling } from '../../../src/machine/sandbox/kernel/disk-usage.ts';
import { VCAP } from '../../../src/machine/sandbox/kernel/ids.ts';
import { type ConfigParts, ociConfig } from '../../../src/machine/sandbox/oci/config.ts';
import { parseVersion } from '../../../src/machine/sandbox/oci/runtime.ts';
import { runtimeAdvice } from '../../../src/machine/sandbox/oci/runtime-advice.ts';
import type { SandboxSpec } from '../../../src/machine/sandbox/port/sandbox.ts';

const limits = { memoryBytes: 1000, pids: 10, diskBytes: 2000, wallMs: 1, openFiles: 64, cpuShares: 5 };
const spec: SandboxSpec = {
  owner: 'o',
  argv: ['/bin/x', 'y'],
  env: { A: '1' },
  cwd: '/',
  rootfs: { kind: 'host' },
  mounts: [],
  diskRoot: '/',
  limits,
  network: 'none',
};
const mappings = {
  uid: [{ containerID: 0, hostID: 5, size: 1 }],
  gid: [{ containerID: 0, hostID: 5, size: 1 }],
};
const parts: ConfigParts = {
  id: 'id',
  ids: { kind: 'range', description: '', mappings, user: VCAP, owner: VCAP },
  cgroups: {
    mode: 'v1',
    parents: { memory: '/m', pids: '/p' },
    everywhere: [],
    idle: [],
    pathPrefix: '',
    swap: true,
    reasons: {},
  },
  rootPath: 'root',
  binds: [
    { source: '/usr', target: '/usr', writable: false },
    { source: '/w', target: '/tmp', writable: true },
  ],
  hasTmp: true,
  recursive: new Set(['/usr']),
  terminal: false,
  bounded: false,
  grants: {
    openFiles: 32,
    fileSize: Number.POSITIVE_INFINITY,
    processes: Number.POSITIVE_INFINITY,
    others: true,
  },
  arch: 'x64',
};
const types = (config: ReturnType<typeof ociConfig>): unknown => config.linux['namespaces'];

describe('the config of a container', () => {
  it('grants no capability, no new privileges and only the workspace to write to', () => {
    const { process: command, mounts, root } = ociConfig(spec, parts);
    expect(Object.values(command['capabilities'] ?? {})).toEqual([[], [], [], [], []]);
    expect(command['noNewPrivileges']).toBe(true);
    expect(root).toEqual({ path: 'root', readonly: true });
    const writable = mounts.filter(({ type, options }) => type === 'bind' && !options?.includes('ro'));
    expect(writable.map(({ destination }) => destination)).toEqual(['/tmp']);
    for (const { options } of mounts) expect(options).toContain('nosuid');
    expect(mounts.find(({ source }) => source === '/usr')?.options).toContain('rro');
  });

  it('asks only for the limits that can be enforced', () => {
    const { linux, process: command } = ociConfig(spec, parts);
    expect(linux['resources']).toEqual({ memory: { limit: 1000, swap: 1000 }, pids: { limit: 10 } });
    expect(linux['cgroupsPath']).toBe('id');
    const names = JSON.stringify(command['rlimits']);
    expect(names).not.toContain('NPROC');
    expect(names).toContain('{"type":"RLIMIT_NOFILE","hard":32,"soft":32}');
  });

  it('limits the size of one file only where nothing else holds a workspace to its disk limit', () => {
    const limitsOf = (bounded: boolean): string =>
      JSON.stringify(ociConfig(spec, { ...parts, bounded }).process['rlimits']);
    expect(limitsOf(false)).toContain('RLIMIT_FSIZE');
    expect(limitsOf(true)).not.toContain('RLIMIT_FSIZE');
  });

  it('falls back to a limit of processes of the user where no cgroup can be made', () => {
    const cgroups = { mode: 'v2', parents: {}, everywhere: [], idle: [], swap: false, reasons: {} } as const;
    const { linux, process: command } = ociConfig(spec, { ...parts, cgroups });
    expect(linux).not.toHaveProperty('resources');
    expect(JSON.stringify(command['rlimits'])).toContain('{"type":"RLIMIT_NPROC","hard":10,"soft":10}');
  });

  it('has a network of its own for `none` alone, and a user namespace where there is a mapping', () => {
    expect(types(ociConfig(spec, parts))).toContainEqual({ type: 'network' });
    expect(types(ociConfig({ ...spec, network: 'host' }, parts))).not.toContainEqual({ type: 'network' });
    expect(types(ociConfig(spec, parts))).toContainEqual({ type: 'user' });
    const { mappings: _, ...dropped } = parts.ids;
    expect(types(ociConfig(spec, { ...parts, ids: dropped }))).not.toContainEqual({ type: 'user' });
  });

  it('gives variables with names that shells refuse to env', () => {
    const { process: command } = ociConfig({ ...spec, env: { A: '1', 'b.c': '2' } }, parts);
    expect(command['env']).toEqual(['A=1', 'STAGER_CARRIED_0=b.c=2']);
    expect(command.args.slice(-2)).toEqual(['/bin/x', 'y']);
  });

  it('has no value of a variable in arguments, which every user of the host can read', () => {
    const env = { A: 'secret', 'spring.datasource.password': 'secret' };
    const { process: command } = ociConfig({ ...spec, env }, parts);
    expect(command.args.join(' ')).not.toContain('secret');
  });

  it('lets no call be both allowed and refused', () => {
    const { syscalls } = ociConfig(spec, parts).linux.seccomp;
    const [allowed, refused] = syscalls;
    const names = new Set(allowed?.names);
    expect(refused?.names.filter((name) => names.has(name))).toEqual([]);
    for (const name of ['mount', 'ptrace', 'bpf', 'kexec_load', 'keyctl', 'unshare', 'setns']) {
      expect(refused?.names).toContain(name);
    }
  });
});

describe('how a run ended', () => {
  const ending = {
    status: 0,
    stopped: undefined,
    limits,
    memory: { oomKills: 0 },
    overrun: undefined,
    disk: undefined,
    fileBytes: Number.POSITIVE_INFINITY,
  };
  const largest = [{ path: 'app', sizeBytes: 3000 }];
  const full = { kind: 'bytes', usage: { totalBytes: 3000, largest } } as const;
  const fullest = [{ path: 'app', files: 9 }];
  it.each([
    [{}, { kind: 'exited', code: 0 }],
    [{ status: 3 }, { kind: 'exited', code: 3 }],
    [{ status: 200 }, { kind: 'exited', code: 200 }],
    [{ status: 137 }, { kind: 'signalled', signal: 'SIGKILL' }],
    [
      { status: 137, memory: { oomKills: 1 } },
      { kind: 'out-of-memory', limitBytes: 1000 },
    ],
    [
      { status: 0, memory: { oomKills: 1 } },
      { kind: 'exited', code: 0 },
    ],
    [
      { status: 137, stopped: 'timed-out' },
      { kind: 'timed-out', limitMs: 1 },
    ],
    [{ status: 137, stopped: 'cancelled', overrun: full }, { kind: 'cancelled' }],
    [
      { status: 137, stopped: 'out-of-disk', overrun: full },
      { kind: 'out-of-disk', limitBytes: 2000, usedBytes: 3000, largest },
    ],
    [
      {
        status: 137,
        stopped: 'out-of-disk',
        limits: { ...limits, files: 8 },
        overrun: { kind: 'files', limit: 8, count: { total: 10, fullest } },
      },
      { kind: 'too-many-files', limitFiles: 8, files: 10, fullest },
    ],
    [
      { status: 153, fileBytes: 1000 },
      { kind: 'file-too-large', limitBytes: 1000 },
    ],
    [{ status: 153 }, { kind: 'out-of-disk', limitBytes: 2000, usedBytes: 2000, largest: [] }],
  ] as const)('%j is told as %j', (facts, outcome) => {
    expect(outcomeOf({ ...ending, ...facts })).toEqual(outcome);
  });
});

describe('what a runtime says of itself', () => {
  it.each([
    ['runc version 1.1.5+ds1\ncommit: 1', { name: 'runc', version: '1.1.5+ds1' }],
    ['crun version 1.8.1\ncommit: f', { name: 'crun', version: '1.8.1' }],
    ['runsc version release-20240513.0\nspec: 1.1.0', { name: 'runsc', version: 'release-20240513.0' }],
    ['ls (GNU coreutils) 9.1', undefined],
  ])('%j', (text, expected) => {
    expect(parseVersion(text)).toEqual(expected);
  });
});

describe('advice on a runtime', () => {
  it.each([
    ['runc', '1.1.5+ds1', /1\.1\.12 fixed CVE-2024-21626; 1\.2\.8 and 1\.3\.3 fixed .*CVE-2025-52881/],
    ['runc', '1.1.12', /^1\.2\.8 and 1\.3\.3 fixed CVE-2025-31133/],
    ['runc', '1.3.2-1ubuntu1', /^1\.2\.8/],
  ])('%s %s names what later versions fixed', (name, version, advice) => {
    expect(runtimeAdvice({ name, version })).toMatch(advice);
  });

  it.each([
    ['runc', '1.2.8'],
    ['runc', '1.3.3'],
    ['runc', '1.4.0'],
    ['runc', 'unknown'],
    ['crun', '1.1.5'],
  ])('%s %s needs none', (name, version) => {
    expect(runtimeAdvice({ name, version })).toBeUndefined();
  });
});

describe('the largest directories', () => {
  it('are the ones that tell most', () => {
    const sizes = new Map([
      ['app', 1000],
      ['app/node_modules', 950],
      ['app/node_modules/a', 400],
      ['contents', 500],
      ['contents/deps', 500],
      ['contents/deps/0', 499],
      ['cache', 100],
    ]);
    expect(mostTelling(sizes)).toEqual([
      { path: 'app/node_modules', amount: 950 },
      { path: 'contents/deps/0', amount: 499 },
      { path: 'cache', amount: 100 },
    ]);
  });
});
