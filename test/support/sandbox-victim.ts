/** Runs an endless command in a sandbox and says so; a test kills this process. */
import { chownSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { selectSandbox } from '../../src/machine/sandbox/select.ts';
import { ROOMY } from './sandbox-fixture.ts';

const home = process.argv[2] ?? '';
const { sandbox } = await selectSandbox({ wanted: 'oci', stateDir: home });
const workspace = mkdtempSync(join(home, 'workspace-'));
chownSync(workspace, sandbox.owner.uid, sandbox.owner.gid);
await sandbox.run(
  {
    owner: 'victim',
    argv: ['/bin/sh', '-c', `echo running; sleep 86398.${process.pid}`],
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
    rootfs: { kind: 'host' },
    mounts: [{ source: workspace, target: '/tmp', writable: true }],
    diskRoot: workspace,
    limits: ROOMY,
    network: 'none',
  },
  { signal: new AbortController().signal, onOutput: (_, chunk) => process.stdout.write(chunk) },
);
