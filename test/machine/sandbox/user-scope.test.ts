/** Scopes of a user's service manager. None runs on most test machines, so a program of the same command line stands in. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  countsOf,
  keepCounts,
  planScope,
  type ScopePlan,
  scoped,
} from '../../../src/machine/sandbox/kernel/user-scope.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stager-scope-test-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const UID = 1_000;

/** A machine whose service manager is offered `controllers`. */
function machine({ controllers = 'cpu memory pids', version = 252 } = {}): Parameters<typeof planScope> {
  const slice = join(root, 'cgroup/user.slice', `user-${UID}.slice`, `user@${UID}.service`);
  mkdirSync(slice, { recursive: true });
  writeFileSync(join(slice, 'cgroup.controllers'), `${controllers}\n`);
  mkdirSync(join(root, 'run', String(UID), 'systemd'), { recursive: true });
  writeFileSync(join(root, 'run', String(UID), 'systemd', 'private'), '');
  mkdirSync(join(root, 'bin'));
  writeFileSync(
    join(root, 'bin', 'systemd-run'),
    `#!/bin/sh\n[ "$1" != --version ] || { echo "systemd ${version} (${version}.1)"; exit; }\n` +
      `echo "$@" >${root}/asked\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n`,
  );
  chmodSync(join(root, 'bin', 'systemd-run'), 0o755);
  const source = { uid: UID, runtimeDirs: join(root, 'run'), programs: [join(root, 'bin')] };
  return [join(root, 'cgroup'), source];
}

const LIMITS = { memoryBytes: 64 << 20, pids: 100, diskBytes: 1 << 30, wallMs: 1_000, openFiles: 256 };

async function planned(how: Parameters<typeof machine>[0] = {}): Promise<ScopePlan> {
  const plan = await planScope(...machine(how));
  if ('why' in plan) throw new Error(plan.why);
  return plan;
}

describe('a scope of the service manager of an ordinary user', () => {
  it('has the limits of the command, is the same process and hands its status on', async () => {
    const plan = await planned();
    const [program, ...args] = scoped(plan, {
      id: 'stager-x',
      limits: { ...LIMITS, cpuShares: 1_024 },
      command: ['/bin/sh', '-c', 'exit 7'],
    });
    expect(spawnSync(program, args).status).toBe(7);
    const asked = spawnSync('cat', [join(root, 'asked')], { encoding: 'utf8' }).stdout;
    expect(asked).toContain('--user --scope --quiet --collect --unit=stager-x');
    expect(asked).toContain(`MemoryMax=${128 << 20} -p MemorySwapMax=0 -p TasksMax=164 -p CPUWeight=39`);
    expect(asked).not.toContain('OOMPolicy');
  });

  it('is not ended by newer managers when one process of it was killed', async () => {
    const plan = await planned({ version: 254 });
    expect(scoped(plan, { id: 'x', limits: LIMITS, command: ['true'] })).toContain('OOMPolicy=continue');
  });

  it('limits with what is delegated', async () => {
    expect((await planned({ controllers: 'memory pids' })).controllers).toEqual(['memory', 'pids']);
  });

  it('is not there for root, without systemd-run, without a manager, and where nothing is delegated', async () => {
    const [mountPoint, source] = machine({ controllers: '' });
    const whys = [
      await planScope(mountPoint, { ...source, uid: 0 }),
      await planScope(mountPoint, { ...source, programs: [join(root, 'none')] }),
      await planScope(mountPoint, { ...source, runtimeDirs: join(root, 'none') }),
      await planScope(mountPoint, source),
    ];
    expect(whys).toEqual([
      { why: 'root has no service manager of its own' },
      { why: 'systemd-run is not installed' },
      { why: 'user 1000 has no service manager running (loginctl enable-linger)' },
      { why: expect.stringContaining('no controllers are delegated to') },
    ]);
  });

  it('tells how often the kernel killed and the most memory that was used', async () => {
    writeFileSync(join(root, 'events'), 'low 0\nmax 10\noom 2\noom_kill 2\n');
    writeFileSync(join(root, 'peak'), '67108864\n');
    const file = join(root, "it's here");
    const opened = `exec 4>&2 5<${root}/events 6<${root}/peak; `;
    const ran = spawnSync('sh', ['-c', opened + keepCounts(file), 'sh', 'sh', '-c', 'kill -9 $$'], {
      encoding: 'utf8',
    });
    expect(ran.status).toBe(137);
    expect(await countsOf(file)).toEqual({ oomKills: 2, peakBytes: 67_108_864 });
    expect(await countsOf(join(root, 'none'))).toEqual({ oomKills: 0 });
  });
});
