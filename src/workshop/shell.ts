/** A shell for a person (or one command) where the scripts of a buildpack would run, as they would run. */

import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type Family, familyPaths } from '../staging/buildpack/contract/contract.ts';
import { prepareCache, type StagedBuildpack, writeEnvDir } from '../staging/buildpack/contract/staged.ts';
import { outcomePhrase } from '../staging/buildpack/run/failure.ts';
import { openSession, type Progress, prepareOrder } from '../staging/buildpack/run/prepare.ts';
import type { RunInput } from '../staging/buildpack/run/run-buildpacks.ts';
import { scriptMounts } from '../staging/buildpack/run/run-script.ts';
import { exitCodeOf } from '../staging/launch/exit-code.ts';
import type { StageRequest } from '../staging/request/request.ts';
import { fillApp, openApp } from '../staging/steps/app.ts';
import { resolveBuildpacks } from '../staging/steps/buildpacks.ts';
import { apartWish } from '../staging/steps/network.ts';
import { scriptRun } from '../staging/steps/scripts.ts';
import { type StagePorts, Staging, type StagingStack } from '../staging/steps/staging.ts';
import { openWorkspace } from '../staging/steps/workspace.ts';
import { isOwned } from '../staging/workspace/claim.ts';
import { type Workspace, workspaceAt } from '../staging/workspace/layout.ts';
import { cancelled, isStagerError, StagerError } from '../words/errors.ts';
import type { Emit } from '../words/events.ts';
import { parseGuid } from '../words/ids.ts';

/** What to open. */
export interface ShellRequest {
  /** As for a staging; without buildpacks detect chooses one. */
  readonly request: StageRequest;
  /** A workspace that was kept, instead of a new one. */
  readonly workspace?: string;
  /** Shell text to run instead of an interactive shell. */
  readonly command?: string;
  /** Kind of the caller's terminal, when stdin and stdout are one; else its streams are used as they are. */
  readonly terminal?: string;
}

/** Ports of {@link openShell}. */
export interface ShellIo {
  readonly signal: AbortSignal;
  readonly emit: Emit;
  /** Called when everything is in place, before the shell starts. */
  readonly onReady?: (place: ShellPlace) => void;
}

/** Where the shell opens. */
export interface ShellPlace {
  /** On the host. */
  readonly workspace: string;
  readonly cwd: string;
  /** Names of the buildpacks that are laid out, in order. */
  readonly buildpacks: readonly string[];
}

/**
 * Opens the shell and waits for its end. A workspace that was made for it is removed with it, unless the request keeps it.
 *
 * @returns the exit status of the shell, 128 and the number when a signal ended it.
 * @throws StagerError whatever making a workspace can, and OUT_OF_MEMORY, OUT_OF_DISK, CANCELLED, SANDBOX_FAILED.
 */
export async function openShell(shell: ShellRequest, ports: StagePorts, io: ShellIo): Promise<number> {
  const staging = new Staging(shell.request, ports, io);
  const stack = await ports.stack(shell.request.stack);
  if (shell.workspace !== undefined) return await inKept(staging, { shell, stack, io, dir: shell.workspace });
  const app = await openApp(staging);
  await using buildpacks = await resolveBuildpacks(staging, stack, app);
  await using workspace = await openWorkspace(staging);
  await fillApp(staging, { source: app }, workspace);
  const run = await scriptRun(staging, { stack, buildpacks, workspace });
  const selected = await layOut(staging, run);
  const family = selected.at(-1)?.family ?? 'cf-v3';
  const exit = await start(staging, { shell, run, family, io, buildpacks: selected.map(({ name }) => name) });
  workspace.succeeded();
  return exit;
}

/** What the first script that builds would find; without a buildpack when none takes the app. */
async function layOut(staging: Staging, run: RunInput): Promise<readonly StagedBuildpack[]> {
  const { ports, signal, report, phases } = staging;
  const { sandbox, clock } = ports;
  const progress: Progress = { selected: [], finalStarted: false };
  try {
    await prepareOrder(run, openSession(run, { sandbox, signal, report, clock, phases }), progress);
  } catch (error) {
    if (!isStagerError(error, 'NO_APP_DETECTED')) throw error;
    staging.warn('shell-without-buildpack', `${error.message}: the shell has none`);
    await prepareCache(run.workspace, [], sandbox.owner);
  }
  const { selected } = progress;
  const family = selected.at(-1)?.family;
  if (family === 'heroku') await writeEnvDir(run.workspace, run.env.configVars(family), sandbox.owner);
  return selected;
}

interface KeptShell {
  readonly shell: ShellRequest;
  readonly stack: StagingStack;
  readonly io: ShellIo;
  readonly dir: string;
}

async function inKept(staging: Staging, { shell, stack, io, dir }: KeptShell): Promise<number> {
  if (shell.request.buildpacks.length > 0) {
    throw new StagerError('USAGE', 'a kept workspace has its buildpacks already', {
      next: 'Leave out --buildpack, or leave out --workspace to make a new one.',
    });
  }
  const workspace = await keptWorkspace(dir);
  const { uid, gid } = await stat(workspace.tmp);
  await using own = await staging.ports.sandbox.apart?.({ near: { uid, gid }, ...apartWish(staging) });
  staging.ports = { ...staging.ports, sandbox: own ?? staging.ports.sandbox };
  const { owner } = staging.ports.sandbox;
  if (uid !== owner.uid) {
    staging.warn('workspace-owner', `files in ${dir} belong to user ${uid}, the shell is user ${owner.uid}`);
  }
  const buildpacks = { mode: 'explicit', order: [], origins: [], release: async () => {} } as const;
  const run = await scriptRun(staging, { stack, buildpacks, workspace });
  const hasConfigVars = (await readdir(workspace.envDir).catch(() => [])).length > 0;
  const isHeroku = shell.request.buildpackApi === 'heroku' || hasConfigVars;
  return await start(staging, { shell, run, family: isHeroku ? 'heroku' : 'cf-v3', io, buildpacks: [] });
}

/** @throws StagerError USAGE when it is not a workspace, or belongs to a running process. */
async function keptWorkspace(dir: string): Promise<Workspace> {
  const root = await realpath(dir).catch(() => dir);
  const workspace = workspaceAt(root);
  for (const path of [workspace.app, workspace.platform, workspace.deps]) {
    const facts = await stat(path).catch(() => undefined);
    if (facts?.isDirectory() === true) continue;
    throw new StagerError(
      'USAGE',
      `${dir} is not a workspace: it has no directory ${path.slice(root.length)}`,
      {
        next: 'Name a directory that `stager stage --keep always` printed.',
        details: { workspace: dir },
      },
    );
  }
  const guid = parseGuid(basename(root));
  if (guid !== undefined && (await isOwned(dirname(root), guid))) {
    throw new StagerError('USAGE', `${dir} is in use by another stager`, {
      next: 'Wait until it has ended.',
      details: { workspace: dir },
    });
  }
  return workspace;
}

interface Start {
  readonly shell: ShellRequest;
  readonly run: RunInput;
  readonly family: Family;
  readonly io: ShellIo;
  readonly buildpacks: readonly string[];
}

/** bash where the stack has it, as most scripts do. No shell may start it: dash loses names such as `server.port`. */
const SHELLS = ['/bin/bash', '/bin/sh'] as const;

async function start(staging: Staging, { shell, run, family, io, buildpacks }: Start): Promise<number> {
  const { buildDir, links } = familyPaths(family);
  io.onReady?.({ workspace: run.workspace.root, cwd: buildDir, buildpacks });
  const { terminal, command } = shell;
  const args = command === undefined ? [terminal === undefined ? '-s' : '-i'] : ['-c', command];
  const [bash, sh] = SHELLS;
  const open = async (program: string) =>
    await staging.ports.sandbox.run(
      {
        owner: staging.build,
        argv: [program, ...args],
        env: {
          ...run.env.processEnv(family),
          PWD: buildDir,
          ...(terminal !== undefined && { TERM: terminal }),
        },
        cwd: buildDir,
        rootfs: run.rootfs,
        mounts: scriptMounts(run),
        links,
        diskRoot: run.workspace.tmp,
        limits: { ...run.limits, wallMs: Number.POSITIVE_INFINITY },
        network: run.network,
        stdin: terminal === undefined ? 'inherit' : 'terminal',
      },
      { signal: io.signal, onOutput: () => {} },
    );
  const first = await open(bash);
  const report = first.outcome.kind === 'not-started' ? await open(sh) : first;
  const { outcome } = report;
  if (outcome.kind === 'cancelled') throw cancelled(io.signal);
  if (outcome.kind !== 'exited')
    staging.warn('shell-ended', `the shell was ended: ${outcomePhrase(outcome)}`);
  return exitCodeOf(outcome);
}
