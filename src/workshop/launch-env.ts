/** The variables that an app would start with, as the profile scripts of a staging set them. */
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { readSmall } from '../machine/host/read-small.ts';
import type { RunInput } from '../staging/buildpack/run/run-buildpacks.ts';
import { processEnvironment } from '../staging/launch/environment.ts';
import { runDirsAt } from '../staging/launch/layout.ts';
import { runProcesses } from '../staging/launch/run-processes.ts';
import type { StageRequest } from '../staging/request/request.ts';
import type { StagePorts } from '../staging/steps/staging.ts';
import { newGuid } from '../words/ids.ts';

const FILE = 'stager-launch-env';
/** Every shell sets these. */
const SHELLS_OWN: ReadonlySet<string> = new Set(['PWD', 'OLDPWD', 'SHLVL', '_']);

/** What {@link launchEnvironment} works with. */
export interface LaunchEnvInput {
  readonly run: RunInput;
  readonly request: StageRequest;
  readonly ports: StagePorts;
  readonly signal: AbortSignal;
}

/**
 * Runs the profile scripts as the launcher does and returns the variables that they set or changed. The app, deps and
 * profile.d of the workspace are where a droplet has them while that lasts, and back afterwards.
 */
export async function launchEnvironment(input: LaunchEnvInput): Promise<Readonly<Record<string, string>>> {
  const { run, request, ports, signal } = input;
  const { workspace } = run;
  const dirs = runDirsAt(join(workspace.tmp, `launch-${newGuid()}`));
  await mkdir(dirs.home, { recursive: true });
  const moves = [
    [workspace.app, join(dirs.home, 'app')],
    [workspace.deps, join(dirs.home, 'deps')],
    [workspace.profileD, join(dirs.home, 'profile.d')],
  ] as const;
  for (const [from, to] of moves) await rename(from, to);
  try {
    const droplet = await runProcesses(
      {
        guid: newGuid(),
        dirs,
        app: request.app,
        target: { kind: 'task', command: `env -0 >"$TMPDIR/${FILE}"` },
        env: request.env,
        services: request.services,
        memoryMb: request.memoryMb,
        diskMb: request.diskMb,
        rootfs: run.rootfs,
        network: run.network,
      },
      { sandbox: ports.sandbox, clock: ports.clock, signal, emit: () => {} },
    );
    await droplet.done;
    const file = await readSmall(join(dirs.home, 'tmp', FILE), dirs.home);
    return file.kind === 'text' ? different(baseOf(input), file.text) : {};
  } finally {
    for (const [from, to] of moves) await rename(to, from);
  }
}

/** What the same process has without any profile script. */
function baseOf({ request }: LaunchEnvInput): Readonly<Record<string, string>> {
  return processEnvironment({
    env: request.env,
    services: request.services,
    app: request.app,
    memoryMb: request.memoryMb,
    diskMb: request.diskMb,
    processMemoryMb: request.memoryMb,
    version: '',
  });
}

function different(base: Readonly<Record<string, string>>, text: string): Record<string, string> {
  const seen = text.split('\0').flatMap((entry): [string, string][] => {
    const at = entry.indexOf('=');
    return at > 0 ? [[entry.slice(0, at), entry.slice(at + 1)]] : [];
  });
  const changed = seen.filter(([name, value]) => {
    // Its version is a new one each time.
    return base[name] !== value && name !== 'VCAP_APPLICATION' && !SHELLS_OWN.has(name);
  });
  return Object.fromEntries(changed.sort(([a], [b]) => (a < b ? -1 : 1)));
}
