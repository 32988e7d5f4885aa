/**
 * Runs an endless command in a sandbox and says so, or, with `loop`, short ones that leave daemons, without end; a
 * test kills this process.
 */
import { chownSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { selectSandbox } from '../../src/machine/sandbox/select.ts';
import { ROOMY } from './sandbox-fixture.ts';

const home = process.argv[2] ?? '';
const { sandbox } = await selectSandbox({
  wanted: process.argv[4] === 'none' || process.argv[4] === 'process' ? process.argv[4] : 'oci',
  stateDir: home,
});
const workspace = mkdtempSync(join(home, 'workspace-'));
chownSync(workspace, sandbox.owner.uid, sandbox.owner.gid);
const endless = `echo running; trap '' HUP INT TERM; setsid sleep 86398.${process.pid} & sleep 86398.${process.pid}`;
const short = `setsid sleep 86398.${process.pid} & sleep 0.0${process.pid % 10}`;
const loops = process.argv[3] === 'loop';
const run = () =>
  sandbox.run(
    {
      owner: 'victim',
      argv: ['/bin/sh', '-c', loops ? short : endless],
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
if (loops) process.stdout.write('running\n');
do {
  await Promise.all(loops ? [run(), run()] : [run()]);
} while (loops);
