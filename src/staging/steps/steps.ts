/** The steps of stage.ts: each puts one part of the pipeline between the request and the ports. */
import { writeFile } from 'node:fs/promises';
import { join, resolve as resolvePath } from 'node:path';
import { writeCaBundle } from '../../machine/proxy/ca-bundle.ts';
import { proxySecrets, proxyVariables } from '../../machine/proxy/settings.ts';
import { MAX_FILES, type Sandbox } from '../../machine/sandbox/port/sandbox.ts';
import type { VolumeSize } from '../../machine/sandbox/port/volume.ts';
import { isStagerError, type StagerError } from '../../words/errors.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import { MEBIBYTE } from '../../words/units.ts';
import { isHerokuStaging, sourceWishes } from '../buildpack/acquire/app-order.ts';
import { checkLock, readLock, writeLock } from '../buildpack/acquire/lock-file.ts';
import { lockOf, type ResolvedOrder, resolveOrder } from '../buildpack/acquire/resolve.ts';
import { parseReference, referenceSecrets } from '../buildpack/contract/reference.ts';
import { stagingEnvironment } from '../buildpack/run/env.ts';
import { type BuildpacksOutcome, type RunInput, runBuildpacks } from '../buildpack/run/run-buildpacks.ts';
import { cfStackOf } from '../request/request.ts';
import type { Source } from '../source/entry.ts';
import { DEFAULT_FDS } from '../vcap/application.ts';
import { secretValues } from '../vcap/services.ts';
import { INSIDE, type Workspace } from '../workspace/layout.ts';
import { createWorkspace, type OwnedWorkspace, sweepWorkspaces } from '../workspace/workspace.ts';
import { restoreCache } from './build-cache.ts';
import type { Staging, StagingStack } from './staging.ts';

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
/** The kernel's default weight: a person waits for a staging, so it does not yield as on a cell. */
const CPU_SHARES = 1024;

/** An order that is given back when the staging ends. */
export type HeldOrder = ResolvedOrder & AsyncDisposable;

/** The stack, which is verified while the app is packaged. */
export function verifiedStack(staging: Staging): Promise<StagingStack> {
  const finding = staging.ports.stack(staging.request.stack).then((stack) => {
    if (stack.notice !== undefined) staging.warn('stack-restored', stack.notice);
    return stack;
  });
  // Packaging may fail first; then nobody waits for this.
  finding.catch(() => undefined);
  return finding;
}

/** Finds and fetches the buildpacks: those that were asked for, or that a Heroku app names, or the installed ones. */
export async function resolveBuildpacks(
  staging: Staging,
  stack: StagingStack,
  app: Source,
): Promise<HeldOrder> {
  const { request, ports, signal, report } = staging;
  const { lock } = request;
  if (lock?.mode === 'write') await checkLock(lock);
  const frozen = lock?.mode === 'frozen' ? await readLock(lock) : undefined;
  const asked = request.buildpacks.length > 0 ? request.buildpacks : await namedByApp(staging, app);
  // What is locked can be fetched again without being named again.
  const texts = asked.length > 0 ? asked : (frozen?.buildpacks.map(({ buildpack }) => buildpack) ?? []);
  const references = texts.map((text) => parseReference(text, { cwd: resolvePath('.') }));
  staging.secrets.push(...references.flatMap(referenceSecrets));
  const input = {
    references,
    stack: stack.name,
    ...(request.buildpackApi !== undefined && { api: request.buildpackApi }),
    ...(frozen !== undefined && { frozen }),
  };
  const order = await staging.phases.run(
    { name: 'buildpacks' },
    () => resolveOrder(input, ports.buildpacks, { signal, report }),
    ({ mode, order: found }) =>
      mode === 'detect' ? `${found.length} installed to try` : found.map(({ name }) => name).join(', '),
  );
  return { ...order, [Symbol.asyncDispose]: () => order.release() };
}

/** `.buildpacks` and app.json count where the staging is Heroku's; their variables are defaults. */
async function namedByApp(staging: Staging, app: Source): Promise<readonly string[]> {
  const { request, signal } = staging;
  if (!isHerokuStaging(request.stack, request.buildpackApi)) return [];
  const wishes = await sourceWishes(app, { signal });
  staging.envDefaults = wishes.env;
  return wishes.buildpacks;
}

/** A workspace that is removed with the staging, unless `keep` says otherwise. */
export type StagingWorkspace = OwnedWorkspace & AsyncDisposable & { succeeded(): void };

/** Makes the private tree, after sweeping what dead processes left. */
export async function openWorkspace(staging: Staging): Promise<StagingWorkspace> {
  const { ports, request } = staging;
  await sweepWorkspaces(ports.workspaces);
  const own = await ports.sandbox.apart?.();
  const sandbox = own ?? ports.sandbox;
  staging.ports = { ...ports, sandbox };
  const workspace = await createWorkspace({
    parent: ports.workspaces,
    owner: sandbox.owner,
    rootMode: 0o711,
    guid: staging.build,
    // What is mounted goes with this process, and what is kept is for later.
    ...(request.keep === 'never' && { volume: { volumes: ports.sandbox.volumes, size: sizeOf(request) } }),
  }).catch(async (error: unknown) => {
    await own?.[Symbol.asyncDispose]();
    throw error;
  });
  let failed = true;
  return {
    ...workspace,
    succeeded: () => {
      failed = false;
    },
    [Symbol.asyncDispose]: async () => {
      try {
        staging.filledWorkspace = await workspace.isFull();
        const outcome = await workspace.release({ keep: request.keep, failed });
        if (outcome === 'kept') staging.warn('workspace-kept', `the workspace was kept: ${workspace.root}`);
      } catch (error) {
        // The outcome of the staging still stands; the next start tries again.
        staging.warn('workspace-not-removed', error instanceof Error ? error.message : String(error));
      } finally {
        // What comes after has no part in this one's ids.
        staging.ports = { ...staging.ports, sandbox: ports.sandbox };
        await own?.[Symbol.asyncDispose]();
      }
    },
  };
}

/** What a workspace may hold. */
const sizeOf = ({ diskMb }: Pick<Staging['request'], 'diskMb'>): VolumeSize => ({
  bytes: diskMb * MEBIBYTE,
  files: MAX_FILES,
});

/** What the scripts are run with. */
export interface ScriptsInput {
  readonly app: Source;
  readonly stack: StagingStack;
  readonly buildpacks: ResolvedOrder;
  readonly workspace: Workspace;
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
  if (outcome.kind === 'staged') return outcome;
  staging.failedResult = outcome.result;
  throw await withHints(outcome.error, { app: input.app, signal });
}

/**
 * Everything that the scripts of a staging are run with: environment, limits, what they see of the machine. Writes
 * the platform's read-only files; what else wants to run as a script does starts from here as well.
 */
export async function scriptRun(
  staging: Staging,
  { stack, buildpacks, workspace }: Omit<ScriptsInput, 'app'>,
): Promise<RunInput> {
  const { request, ports } = staging;
  for (const { limit, reason } of ports.sandbox.unenforced) {
    staging.warn('limit-not-enforced', `${LIMIT_NAMES[limit]} can't be enforced here: ${reason}`);
  }
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
      appEnv: { ...staging.envDefaults, ...request.env },
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
    network: request.network,
    secrets: [...staging.secrets, ...secretValues(request.services), ...proxySecrets(ports.proxy)],
    trace: request.trace,
    kitNode: ports.kitNode,
    restoreCache: (used) => restoreCache(staging, { workspace, keys: used.map(({ key }) => key) }),
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

/** `--lock`: records the buildpacks that were used. */
export async function lockIfAsked(
  { request }: Staging,
  { stack, buildpacks }: Pick<ScriptsInput, 'stack' | 'buildpacks'>,
  { buildpacks: used }: Pick<StagingRecord, 'buildpacks'>,
): Promise<void> {
  if (request.lock?.mode !== 'write') return;
  const selected = used.map(({ key }) => key);
  await writeLock(request.lock, lockOf(buildpacks, { stack: stack.name, selected }));
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
