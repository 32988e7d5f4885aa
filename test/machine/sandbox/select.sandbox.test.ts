import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { diagnose } from '../../../src/machine/doctor/doctor.ts';
import { allPids } from '../../../src/machine/sandbox/kernel/processes.ts';
import { reap } from '../../../src/machine/sandbox/reap.ts';
import { selectSandbox } from '../../../src/machine/sandbox/select.ts';
import { reasonsOf } from '../../../src/machine/sandbox/unavailable.ts';
import { StackStore } from '../../../src/machine/stack/store.ts';
import { StagerError } from '../../../src/words/errors.ts';
import { isRoot } from '../../support/as-root.ts';
import { cgroupsOf } from '../../support/sandbox-fixture.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync('/var/tmp/stager-select-test-');
  chmodSync(home, 0o711);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const CRUN = '/usr/bin/crun';
const hybrid =
  /\bcgroup2\b/.test(readFileSync('/proc/self/mountinfo', 'utf8')) &&
  / - cgroup cgroup .*\bmemory\b/.test(readFileSync('/proc/self/mountinfo', 'utf8'));

describe('the choice of a sandbox', () => {
  it('takes an OCI runtime and says what it is', async () => {
    const { sandbox, close } = await selectSandbox({ wanted: 'auto', stateDir: home });
    expect(sandbox.kind).toBe('oci');
    expect(sandbox.description).toMatch(/^(runc|crun|youki|runsc) \S+, (no )?cgroup .*, .*user namespace/);
    await close();
    expect(readdirSync(home).filter((name) => name.includes(`.${process.pid}.`))).toEqual([]);
  });

  it('remembers what worked', async () => {
    const first = await selectSandbox({ wanted: 'auto', stateDir: home });
    await first.close();
    const remembered = readFileSync(join(home, 'probes.json'), 'utf8');
    const second = await selectSandbox({ wanted: 'auto', stateDir: home });
    await second.close();
    expect(second.rejected).toEqual(first.rejected);
    expect(readFileSync(join(home, 'probes.json'), 'utf8')).toBe(remembered);
  });

  it('asks again before it gives up on what is remembered', async () => {
    const file = join(home, 'probes.json');
    const chosen: string[] = [];
    // Each time one way more is remembered as broken, until all are.
    while (new Set(chosen).size === chosen.length) {
      const options = { wanted: 'oci', stateDir: home, runtimePath: '/usr/sbin/runc' } as const;
      const { sandbox, close } = await selectSandbox(options);
      await close();
      chosen.push(sandbox.description);
      const keys = Object.keys(
        z.record(z.string(), z.string()).parse(JSON.parse(readFileSync(file, 'utf8'))),
      );
      writeFileSync(file, JSON.stringify(Object.fromEntries(keys.map((key) => [key, 'no space left']))));
    }
    expect(chosen.at(-1)).toBe(chosen[0]);
  });

  it.runIf(hybrid && existsSync(CRUN))(
    'lets crun work on a machine with both versions of cgroups',
    async () => {
      const { sandbox, close } = await selectSandbox({ wanted: 'auto', stateDir: home, runtimePath: CRUN });
      await close();
      expect(sandbox.description).toMatch(/^crun \S+, (no cgroup|cgroup v1) \(hybrid\), user namespace/);
      // Only root may make a cgroup there.
      if (isRoot) expect(sandbox.unenforced).toEqual([]);
    },
  );

  it('looks for a runtime that is named without a slash where programs are', async () => {
    const bin = join(home, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'my-runc'), '#!/bin/sh\nexec /usr/sbin/runc "$@"\n', { mode: 0o755 });
    const options = { wanted: 'auto', stateDir: home, runtimePath: 'my-runc' } as const;
    const { sandbox, close } = await selectSandbox({ ...options, searchPath: [bin] });
    await close();
    expect(sandbox.description).toMatch(/^runc /);
    await expect(selectSandbox({ ...options, searchPath: [home] })).rejects.toThrow(
      /my-runc .*not found in PATH/,
    );
  });

  it('never has a runtime look for pids of a namespace that is gone, which are those of others', async () => {
    const log = join(home, 'calls');
    const path = join(home, 'other');
    const script = `#!/bin/sh
[ "$1" = --version ] && echo 'other version 9' && exit
echo "$@" >>${log}
exec /usr/sbin/runc "$@"
`;
    writeFileSync(path, script, { mode: 0o755 });
    const { sandbox, close } = await selectSandbox({ wanted: 'oci', stateDir: home, runtimePath: path });
    expect(sandbox.unenforced.map(({ limit }) => limit)).not.toContain('lifetime');
    const states = readdirSync(home, { recursive: true }).filter((name) =>
      String(name).endsWith('/state.json'),
    );
    await close();
    // Looking for a way that works has run something.
    expect(readFileSync(log, 'utf8')).toContain(' run ');
    expect(readFileSync(log, 'utf8')).not.toContain(' delete ');
    expect(states).toEqual([]);
  });

  it('never gives up isolation by itself', async () => {
    const nothing = { stateDir: home, searchPath: [join(home, 'empty')] } as const;
    // Inside a container that has none, auto takes a confined process.
    const chosen = await selectSandbox({ ...nothing, wanted: 'auto' }).catch(() => undefined);
    await chosen?.close();
    expect(['process', undefined]).toContain(chosen?.sandbox.kind);
    const failed = selectSandbox({ ...nothing, wanted: 'oci' });
    await expect(failed).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
    const error = await failed.catch((reason: unknown) => reason);
    if (!(error instanceof StagerError)) throw error;
    for (const name of ['runc', 'crun', 'youki', 'runsc'])
      expect(reasonsOf(error)).toContain(`${name}: not installed`);
    expect(error.message).toBe('no OCI runtime is installed');
    expect(error.next).toContain('--sandbox none');
  });

  it('goes on to the next runtime when the first does not work', async () => {
    const bin = join(home, 'bin');
    mkdirSync(bin);
    writeFileSync(
      join(bin, 'runc'),
      '#!/bin/sh\n[ "$1" = --version ] && echo "runc version 9.9" && exit\nexit 3\n',
      { mode: 0o755 },
    );
    writeFileSync(join(bin, 'crun'), '#!/bin/sh\nexec /usr/sbin/runc "$@"\n', { mode: 0o755 });
    const { sandbox, rejected, close } = await selectSandbox({
      wanted: 'auto',
      stateDir: home,
      searchPath: [bin],
    });
    await close();
    expect(sandbox.description).toContain('runc 1.');
    expect(rejected.map(({ candidate }) => candidate.split(',')[0])).toContain('runc 9.9');
  });

  it('does not take a program that is not a runtime', async () => {
    const failed = selectSandbox({ wanted: 'oci', stateDir: home, runtimePath: '/bin/ls' });
    await expect(failed).rejects.toThrow(/\/bin\/ls --version does not name a runtime/);
  });

  it('takes none when asked by name and says what that gives up', async () => {
    const policies = { staging: { rules: [], allowed: [] }, running: { rules: [], allowed: [] } };
    const egress = async () => ({ policies, strict: true });
    for (const wanted of ['none', 'process'] as const) {
      await expect(selectSandbox({ wanted, stateDir: home, egress })).rejects.toMatchObject({
        code: 'SANDBOX_UNAVAILABLE',
        message: expect.stringContaining('egress rules'),
      });
    }
    const { sandbox } = await selectSandbox({ wanted: 'none', stateDir: home });
    expect(sandbox.kind).toBe('none');
    expect(sandbox.unenforced.map(({ limit }) => limit)).toContain('isolation');
  });
});

describe('a stager that was killed', () => {
  it('leaves nothing once the next one has started', async () => {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('../../support/sandbox-victim.ts', import.meta.url)), home],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const marker = `86398.${child.pid}`;
    for await (const line of createInterface({ input: child.stdout })) if (line === 'running') break;
    expect(await commandsWith(marker)).not.toEqual([]);
    expect(await reap(home)).toEqual([]);
    expect(await commandsWith(marker)).not.toEqual([]);

    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    const removed = await reap(home);
    expect(removed).toHaveLength(1);
    expect(removed[0]).toMatch(/^stager-victim-/);
    expect(await commandsWith(marker)).toEqual([]);
    expect(readdirSync(home).filter((name) => !/^(probes.json|etc|workspace-.*)$/.test(name))).toEqual([]);
    expect(await cgroupsOf('victim')).toEqual([]);
  });
});

describe('the doctor', () => {
  it('tells what will be used and what cannot be', async () => {
    const sandbox = { wanted: 'auto', stateDir: home } as const;
    const diagnosis = await diagnose({
      sandbox,
      select: () => selectSandbox(sandbox),
      home,
      stacks: new StackStore(join(home, 'stacks')),
      stack: 'host',
      service: {},
      blobstore: () => Promise.reject(new StagerError('BLOBSTORE_DENIED', 'no entry', { next: 'ask' })),
      signal: new AbortController().signal,
    });
    expect(diagnosis.runtimes.found.length).toBeGreaterThan(0);
    expect(diagnosis.cgroups.mode).toMatch(/^(v1|v2|hybrid)$/);
    expect(diagnosis.sandbox).toMatchObject({
      status: isRoot ? 'ok' : expect.stringMatching(/^(ok|warning)$/),
      value: { kind: 'oci' },
    });
    expect(diagnosis.stacks).toMatchObject({ status: 'ok', value: { chosen: 'host' } });
    expect(diagnosis.blobstore).toEqual({ status: 'failed', why: 'no entry', next: 'ask' });
  });
});

async function commandsWith(text: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await allPids()) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text)) found.push(pid);
    } catch {
      // Ended meanwhile.
    }
  }
  return found;
}
