/** Nothing outlives a stager, however it ends. No next start helps: what is gone here went by itself. */
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { allPids } from '../../../src/machine/sandbox/kernel/processes.ts';
import { reap } from '../../../src/machine/sandbox/reap.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { cgroupsOf } from '../../support/sandbox-fixture.ts';

const VICTIM = fileURLToPath(new URL('../../support/sandbox-victim.ts', import.meta.url));
const NOBODY = 65_534;
const PATIENCE = { timeout: 30_000, interval: 50 } as const;

let home: string;
beforeEach(() => {
  home = mkdtempSync('/var/tmp/stager-lifetime-test-');
  chmodSync(home, 0o755);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** Starts the victim, waits until it runs commands, and for `afterMs` more, and kills it. */
async function kill(
  mode: 'once' | 'loop',
  afterMs: number,
  { uid, kind = 'oci' }: { readonly uid?: number; readonly kind?: 'oci' | 'process' | 'none' } = {},
): Promise<void> {
  if (uid !== undefined) chownSync(home, uid, uid);
  const child = spawn(process.execPath, [VICTIM, home, mode, kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(uid !== undefined && { uid, gid: uid }),
  });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  for await (const line of createInterface({ input: child.stdout })) if (line === 'running') break;
  await setTimeout(afterMs);
  child.kill('SIGKILL');
  await gone;
}

/** Command lines that name this test's directory, or a daemon's sleep. */
async function left(): Promise<string[]> {
  const lines: string[] = [];
  for (const pid of await allPids()) {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (line.includes(home) || line.includes('sleep 86398.')) lines.push(line);
    } catch {
      // Ended meanwhile.
    }
  }
  return lines;
}

const mounts = (): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(home));

it('kill -9 takes a script with it that ignores every signal, its daemons and its cgroups', async () => {
  await kill('once', 0);
  await expect.poll(left, PATIENCE).toEqual([]);
  await expect.poll(() => cgroupsOf('victim'), PATIENCE).toEqual([]);
  expect(mounts()).toEqual([]);
  await reap(home);
  expect(readdirSync(home).filter((name) => !/^(probes.json|etc|workspace-.*)$/.test(name))).toEqual([]);
});

it('kill -9 at any moment leaves no process and no cgroup', async () => {
  for (const afterMs of [0, 5, 14, 31, 60]) {
    await kill('loop', afterMs);
    await expect.poll(left, PATIENCE).toEqual([]);
    await expect.poll(() => cgroupsOf('victim'), PATIENCE).toEqual([]);
  }
});

it.runIf(isRoot)(`kill -9 at any moment leaves no process of an ordinary user${unlessRoot}`, async () => {
  for (const afterMs of [0, 11, 40]) {
    await kill('loop', afterMs, { uid: NOBODY });
    await expect.poll(left, PATIENCE).toEqual([]);
  }
});

it('kill -9 takes what runs without isolation with it', async () => {
  for (const afterMs of [0, 20]) {
    await kill('once', afterMs, { kind: 'none' });
    await expect.poll(left, PATIENCE).toEqual([]);
  }
});

it.each([
  ['the caller', undefined],
  // Only root can become another user.
  ...(isRoot ? [['an ordinary user', NOBODY] as const] : []),
] as const)('kill -9 takes confined processes of %s with it', async (_, uid) => {
  for (const mode of ['once', 'loop'] as const) {
    await kill(mode, 20, { kind: 'process', ...(uid !== undefined && { uid }) });
    await expect.poll(left, PATIENCE).toEqual([]);
  }
});
