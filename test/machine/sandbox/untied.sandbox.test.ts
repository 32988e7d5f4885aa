import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { planCgroups } from '../../../src/machine/sandbox/kernel/cgroups.ts';
import { idPlans } from '../../../src/machine/sandbox/kernel/ids.ts';
import { pidsNaming } from '../../../src/machine/sandbox/kernel/processes.ts';
import { planGuard } from '../../../src/machine/sandbox/oci/guard.ts';
import { OciSandbox } from '../../../src/machine/sandbox/oci/oci.ts';
import { findRuntimes } from '../../../src/machine/sandbox/select.ts';
import { cgroupsOf, ROOMY } from '../../support/sandbox-fixture.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync('/var/tmp/stager-untied-test-');
  chmodSync(home, 0o711);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

it('a guard that is killed before its first process is tied to it leaves nothing', async () => {
  const guard = await planGuard();
  const [runtime] = (await findRuntimes({})).runtimes;
  const [ids] = await idPlans();
  if (guard === undefined || runtime === undefined || ids === undefined) throw new Error('no sandbox here');
  // The moment between fork(2) and prctl(2) lasts half a second in this one.
  const unshare = join(home, 'unshare');
  const script = `#!/bin/bash
[ "$1" = --pid ] || exec ${guard.unshare} "$@"
( ( sleep 0.5; exec ${guard.unshare} "$@" ) & )
exec sleep 1000
`;
  writeFileSync(unshare, script, { mode: 0o755 });
  const workspace = join(home, 'workspace');
  mkdirSync(workspace);
  const sandbox = await OciSandbox.open({
    runtime,
    ids,
    cgroups: await planCgroups(),
    guard: { ...guard, unshare },
    stateDir: join(home, 'state'),
  });
  const report = await sandbox.run(
    {
      owner: 'untied',
      argv: ['/bin/sleep', '600'],
      env: {},
      cwd: '/',
      rootfs: { kind: 'host' },
      mounts: [],
      diskRoot: workspace,
      limits: ROOMY,
      network: 'none',
    },
    { signal: AbortSignal.timeout(100), onOutput: () => undefined },
  );
  await sandbox.close();
  expect(report.outcome).toEqual({ kind: 'cancelled' });
  await expect.poll(() => pidsNaming(home), { timeout: 30_000 }).toEqual([]);
  expect(await cgroupsOf('untied')).toEqual([]);
});
