import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onHost } from '../../../src/machine/sandbox/child/host-paths.ts';
import { allPids } from '../../../src/machine/sandbox/kernel/processes.ts';
import { NoSandbox } from '../../../src/machine/sandbox/none/none.ts';
import type { SandboxSpec } from '../../../src/machine/sandbox/port/sandbox.ts';

let root: string;
const sandbox = new NoSandbox();
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stager-none-test-'));
  for (const name of ['app', 'home']) mkdirSync(join(root, name));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const specOf = (argv: SandboxSpec['argv'], more: Partial<SandboxSpec> = {}): SandboxSpec => ({
  owner: 'none',
  argv,
  env: { PATH: '/usr/bin:/bin', HOME: '/home/vcap' },
  cwd: '/tmp/app',
  rootfs: { kind: 'host' },
  mounts: [{ source: root, target: '/tmp', writable: true }],
  links: { '/home/vcap': '/tmp/home', '/app': '/tmp/app' },
  diskRoot: root,
  limits: { memoryBytes: 1 << 28, pids: 100, diskBytes: 1 << 28, wallMs: 30_000, openFiles: 256 },
  network: 'host',
  ...more,
});

async function run(spec: SandboxSpec, signal = new AbortController().signal): Promise<[string, unknown]> {
  let text = '';
  const { outcome } = await sandbox.run(spec, { signal, onOutput: (_, chunk) => (text += chunk.toString()) });
  return [text, outcome];
}

describe('without a sandbox', () => {
  it('paths inside become paths of the host, whole components only', () => {
    const spec = specOf(['/tmp/app/bin/x', '--to=/tmp/cache', '/var/tmp/y', '/tmpfs', 'a:/tmp:b'], {
      env: { HOME: '/home/vcap', PATH: '/app/bin:/usr/bin', URL: 'http://x/tmp/y' },
    });
    const { argv, env, cwd } = onHost(spec);
    expect(argv).toEqual([`${root}/app/bin/x`, `--to=${root}/cache`, '/var/tmp/y', '/tmpfs', `a:${root}:b`]);
    expect(env).toEqual({ HOME: `${root}/home`, PATH: `${root}/app/bin:/usr/bin`, URL: 'http://x/tmp/y' });
    expect(cwd).toBe(join(root, 'app'));
  });

  it('a command runs in its workspace with its environment and exit code', async () => {
    const [text, outcome] = await run(specOf(['/bin/sh', '-c', 'pwd; echo $HOME; exit 3']));
    expect(text).toBe(`${root}/app\n${root}/home\n`);
    expect(outcome).toEqual({ kind: 'exited', code: 3 });
  });

  it('its pipes have no name that a crash could leave, and can be opened through /dev/stdout', async () => {
    const [text] = await run(specOf(['/bin/sh', '-c', 'readlink /proc/$$/fd/1; echo again > /dev/stdout']));
    expect(text).toMatch(/\/stager-pipes-\w+\/stdout \(deleted\)\nagain\n$/);
  });

  it('a script that cannot start is told by its reason', async () => {
    writeFileSync(join(root, 'app', 'x'), '#!/bin/sh\n');
    chmodSync(join(root, 'app', 'x'), 0o644);
    const [, outcome] = await run(specOf(['/tmp/app/x']));
    expect(outcome).toMatchObject({ kind: 'not-started', reason: expect.stringContaining('mode 0644') });
  });

  it('time limits, cancelling and the disk limit hold', async () => {
    const limits = specOf(['/bin/true']).limits;
    const [, late] = await run(specOf(['/bin/sleep', '600'], { limits: { ...limits, wallMs: 100 } }));
    expect(late).toEqual({ kind: 'timed-out', limitMs: 100 });
    const [, cancelled] = await run(specOf(['/bin/sleep', '600']), AbortSignal.timeout(50));
    expect(cancelled).toEqual({ kind: 'cancelled' });
    const [, full] = await run(
      specOf(['/bin/sh', '-c', 'head -c 9M /dev/zero > a; sleep 600'], {
        limits: { ...limits, diskBytes: 1 << 22 },
      }),
    );
    expect(full).toMatchObject({ kind: 'out-of-disk', limitBytes: 1 << 22 });
  });

  it('a script that removes its own workspace ends as it says', async () => {
    const [, outcome] = await run(specOf(['/bin/sh', '-c', 'rm -rf "$0"; exit 4', root]));
    expect(outcome).toEqual({ kind: 'exited', code: 4 });
  });

  it('a daemon in a session of its own is found and killed', async () => {
    const marker = `86397.${process.pid}`;
    const [text] = await run(
      specOf(['/bin/sh', '-c', `setsid sh -c 'setsid sleep ${marker} & exit' ; echo done`]),
    );
    expect(text).toBe('done\n');
    const left = (await allPids()).filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(marker);
      } catch {
        return false;
      }
    });
    expect(left).toEqual([]);
  });
});
