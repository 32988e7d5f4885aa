import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RUNTIME_STATE, removeDirectory } from '../../../src/machine/sandbox/child/state-directory.ts';

/** Keeps a namespace at a path, as gVisor's runsc does. */
function keepNamespace(at: string): boolean {
  writeFileSync(at, '');
  return spawnSync('mount', ['--bind', '/proc/self/ns/net', at]).status === 0;
}

it('the directory of a process goes with what its runtime left mounted there (NOT RUN where nothing can be mounted)', async (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'stager-state-test-'));
  mkdirSync(join(directory, RUNTIME_STATE));
  if (!keepNamespace(join(directory, RUNTIME_STATE, 'null-netns'))) {
    rmSync(directory, { recursive: true });
    context.skip('nothing can be mounted here');
  }
  await removeDirectory(directory);
  expect(existsSync(directory)).toBe(false);
});
