/** The scripts of a staging: what they are run with, and their outcome. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeCaBundle } from '../../machine/proxy/ca-bundle.ts';
import { proxySecrets, proxyVariables } from '../../machine/proxy/proxy-settings.ts';
import { MAX_FILES, type Sandbox } from '../../machine/sandbox/port/sandbox.ts';
import { isStagerError, type StagerError } from '../../words/errors.ts';
import { MEBIBYTE } from '../../words/units.ts';
import type { ResolvedOrder } from '../buildpack/acquire/resolve.ts';
import { stagingEnvironment } from '../buildpack/run/env.ts';
import { type BuildpacksOutcome, type RunInput, runBuildpacks } from '../buildpack/run/run-buildpacks.ts';
import { cfStackOf } from '../request/request.ts';
import type { Source } from '../source/entry.ts';
import { wishesIn } from '../unpacked/wish.ts';
import { DEFAULT_FDS } from '../vcap/application.ts';
import { secretValues } from '../vcap/services.ts';
import { INSIDE, type Workspace } from '../workspace/layout.ts';
import { restoreArchives, restoreCache } from './build-cache.ts';
import { bundleVariables, restoreBundle } from './bundle.ts';
import { withNetworkHint } from './network.ts';
import type { Staging, StagingStack } from './staging.ts';
import type { OfferedTrees } from './unpacked.ts';

/** What people call the limits of a sandbox. */
const LIMIT_NAMES = {
  memoryBytes: 'the memory limit',
  pids: 'the limit on processes',
  cpuShares: 'the CPU share',
  diskBytes: 'the disk limit',
  wallMs: 'the time limit',
  openFiles: 'the limit on open files',
  files: 'the limit on files',
  isolation: 'isolation',
  lifetime: 'that scripts end with a stager that is killed',
} as const satisfies Record<Sandbox['unenforced'][number]['limit'], string>;
/** `diego.pid_limit` of Cloud Foundry. */
const PIDS = 1024;
/** Half of the kernel's default weight: what starts and ends stagings goes before scripts that flood the machine. */
const CPU_SHARES = 512;

/** What the scripts are run with. */
export interface ScriptsInput {
  readonly app: Source;
  readonly stack: StagingStack;
  readonly buildpacks: ResolvedOrder;
  readonly workspace: Workspace;
  /** Absent where nothing is kept for later. */
  readonly trees?: OfferedTrees;
}

/** What came out of a staging that worked. */
export type BuiltApp = Extract<BuildpacksOutcome, { kind: 'staged' }>;

/** Runs detect, supply, finalize or compile, release. */
export async function runScripts(staging: Staging, input: ScriptsInput): Promise<BuiltApp> {
  const { ports, signal, report, phases } = staging;
  const run = await scriptRun(staging, input);
  const outcome = await runBuildpacks(run, {
    sandbox: ports.sandbox,
    signal,
    report,
    clock: ports.clock,
    phases,
  });
  staging.warnings.push(...outcome.warnings);
  staging.peaks = outcome.peaks;
  if (outcome.kind === 'staged') {
    // Packing takes longer than this does; whoever gives back the workspace waits for it, and is told.
    ports.sandbox.ownNetwork?.end().catch(() => undefined);
    return outcome;
  }
  staging.failedResult = outcome.result;
  const error = await withHints(outcome.error, { app: input.app, signal });
  throw await withNetworkHint(error, staging);
}

/**
 * Everything that the scripts of a staging are run with: environment, limits, what they see of the machine. Writes
 * the platform's read-only files; what else wants to run as a script does starts from here as well.
 */
export async function scriptRun(
  staging: Staging,
  { stack, buildpacks, workspace, trees }: Omit<ScriptsInput, 'app'>,
): Promise<RunInput> {
  const { request, ports } = staging;
  for (const { limit, reason } of ports.sandbox.unenforced) {
    staging.warn('limit-not-enforced', `${LIMIT_NAMES[limit]} can't be enforced here: ${reason}`);
  }
  const network = staging.network();
  if (network.warning !== undefined) staging.warn('network-shared', network.warning);
  return {
    build: staging.build,
    workspace,
    order: buildpacks.order,
    mode: buildpacks.mode,
    rootfs: stack.rootfs,
    env: stagingEnvironment({
      app: {
        ...request.app,
        limits: { memoryMb: request.memoryMb, diskMb: request.diskMb, fds: DEFAULT_FDS },
      },
      stack: stack.name,
      cfStack: request.cfStack ?? cfStackOf(stack.name),
      appEnv: { ...staging.envDefaults, ...request.env, ...bundleVariables(staging) },
      services: request.services,
      platformEnv: await writePlatform(staging, { stack, workspace }),
    }),
    limits: {
      memoryBytes: request.memoryMb * MEBIBYTE,
      diskBytes: request.diskMb * MEBIBYTE,
      files: MAX_FILES,
      pids: PIDS,
      cpuShares: CPU_SHARES,
      wallMs: request.timeoutMs,
      openFiles: DEFAULT_FDS,
    },
    network: network.kind,
    secrets: [...staging.secrets, ...secretValues(request.services), ...proxySecrets(ports.proxy)],
    trace: request.trace,
    kitNode: ports.kitNode,
    moreMounts: () => trees?.mounts ?? [],
    restoreCache: async (used) => {
      const bundled = await restoreBundle(staging, { workspace, used });
      const keys = used.map(({ key }) => key);
      if (!bundled) await restoreCache(staging, { workspace, keys });
      const lacking = (await trees?.offer(workspace)) ?? (await wishesIn(workspace.cache));
      await restoreArchives(staging, { keys, wishes: lacking });
    },
  };
}

/** Our read-only files, and the variables that point at them. */
async function writePlatform(
  { ports }: Staging,
  { stack, workspace }: Pick<ScriptsInput, 'stack' | 'workspace'>,
): Promise<Readonly<Record<string, string>>> {
  const bundle = await writeCaBundle({
    platformDir: workspace.platform,
    inside: INSIDE.platform,
    rootDir: stack.rootfs.kind === 'host' ? '/' : stack.rootfs.path,
    extra: ports.extraCas,
  });
  // A file has to be there for the binary to be mounted over: the directory is read-only inside.
  await writeFile(join(workspace.platform, 'node'), '');
  // Where nothing is mounted, a path in a script's own text leads nowhere, but one in a variable is the right one.
  const node = ports.sandbox.kind === 'oci' ? {} : { STAGER_NODE: `${INSIDE.platform}/node` };
  return { ...proxyVariables(ports.proxy), ...bundle, ...node };
}

/** When nothing is detected the source itself may be the reason. */
async function withHints(
  error: StagerError,
  { app, signal }: { readonly app: Source; readonly signal: AbortSignal },
): Promise<StagerError> {
  if (!isStagerError(error, 'NO_APP_DETECTED')) return error;
  const hints = await app.hints({ signal }).catch(() => []);
  return error.with({ details: { ...error.details, hints } });
}
