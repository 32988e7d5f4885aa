/** Runs a command that takes 256 MiB where it may have 64, and says how it ended. For a test that runs it as another user. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { selectSandbox } from '../../src/machine/sandbox/select.ts';
import { ROOMY } from './sandbox-fixture.ts';

const home = process.argv[2] ?? '';
const { sandbox, close } = await selectSandbox({ wanted: 'oci', stateDir: home });
const workspace = mkdtempSync(join(home, 'workspace-'));
const { outcome } = await sandbox.run(
  {
    owner: 'eater',
    argv: ['/bin/bash', '-c', 'x=$(head -c 256M /dev/zero | tr "\\0" x); sleep 600'],
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
    rootfs: { kind: 'host' },
    mounts: [{ source: workspace, target: '/tmp', writable: true }],
    diskRoot: workspace,
    limits: { ...ROOMY, memoryBytes: 64 * 1024 * 1024 },
    network: 'none',
  },
  { signal: new AbortController().signal, onOutput: () => undefined },
);
await close();
process.stdout.write(JSON.stringify(outcome));
