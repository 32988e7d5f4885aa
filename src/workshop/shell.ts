/** A shell for a person (or one command) where the scripts of a buildpack would run, as they would run. */

import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type Family, familyPaths } from '../buildpack/contract.ts';
import { outcomePhrase } from '../buildpack/failure.ts';
import type { ResolvedOrder } from '../buildpack/resolve.ts';
import type { RunInput } from '../buildpack/run.ts';
import { scriptMounts } from '../buildpack/script.ts';
import {
  prepareCache,
  prepareWorkspace,
  type StagedBuildpack,
  stageBuildpack,
  writeEnvDir,
} from '../buildpack/staged.ts';
import { cancelled, StagerError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { parseGuid } from '../ids.ts';
import { exitCodeOf } from '../launch/exit-code.ts';
import type { StageRequest } from '../request.ts';
import type { Source } from '../source/entry.ts';
import { fillApp, openApp } from '../staging/app.ts';
import { type StagePorts, Staging, type StagingStack } from '../staging/staging.ts';
import { openWorkspace, resolveBuildpacks, scriptRun } from '../staging/steps.ts';
import { type Workspace, workspaceAt } from '../workspace/layout.ts';
import { isOwned } from '../workspace/lock.ts';

/** What to open. */
export interface ShellRequest {
  /** As for a staging; without buildpacks none is tried. */
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
  readonly onReady?: (place: { readonly workspace: string; readonly cwd: string }) => void;
}

/**
 * Opens the shell and waits for its end. A workspace that was made for it goes with it, unless the request keeps it.
 *
 * @returns the exit status of the shell, 128 and the number when a signal ended it.
 * @throws StagerError whatever making a workspace can, and OUT_OF_MEMORY, OUT_OF_DISK, CANCELLED, SANDBOX_FAILED.
 */
export async function openShell(shell: ShellRequest, ports: StagePorts, io: ShellIo): Promise<number> {
  const staging = new Staging(shell.request, ports, io);
  const stack = await ports.stack(shell.request.stack);
  if (shell.workspace !== undefined) return await inKept(staging, { shell, stack, io, dir: shell.workspace });
  const app = await openApp(staging);
  await using buildpacks = await buildpacksOf(staging, stack, app);
  await using workspace = await openWorkspace(staging);
  await fillApp(staging, { source: app }, workspace);
  const run = await scriptRun(staging, { stack, buildpacks, workspace });
  const family = await layOut(staging, run);
  const exit = await start(staging, { shell, run, family, io });
  workspace.succeeded();
  return exit;
}

/** An order that was named; detect would have to run scripts first. */
async function buildpacksOf(
  staging: Staging,
  stack: StagingStack,
  app: Source,
): Promise<ResolvedOrder & AsyncDisposable> {
  if (staging.request.buildpacks.length > 0) return await resolveBuildpacks(staging, stack, app);
  return {
    mode: 'explicit',
    order: [],
    origins: [],
    release: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

/** What the first script of the order would find. */
async function layOut({ ports, signal }: Staging, run: RunInput): Promise<Family> {
  const { owner } = ports.sandbox;
  const { workspace, order } = run;
  const count = Math.max(order.length, 1);
  await prepareWorkspace(workspace, count, { owner, signal });
  const staged: StagedBuildpack[] = [];
  for (const [position, it] of order.entries()) {
    staged.push(await stageBuildpack(workspace, it, { position, count, owner, signal }));
  }
  if (staged.length > 0) await run.restoreCache?.(staged);
  await prepareCache(workspace, staged, owner);
  const family = staged.at(-1)?.family ?? 'cf-v3';
  if (family === 'heroku') await writeEnvDir(workspace, run.env.configVars(family), owner);
  return family;
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
  const { owner } = staging.ports.sandbox;
  const { uid } = await stat(workspace.tmp);
  if (uid !== owner.uid) {
    staging.warn('workspace-owner', `files in ${dir} belong to user ${uid}, the shell is user ${owner.uid}`);
  }
  const buildpacks = { mode: 'explicit', order: [], origins: [], release: async () => {} } as const;
  const run = await scriptRun(staging, { stack, buildpacks, workspace });
  const hasConfigVars = (await readdir(workspace.envDir).catch(() => [])).length > 0;
  const isHeroku = shell.request.buildpackApi === 'heroku' || hasConfigVars;
  return await start(staging, { shell, run, family: isHeroku ? 'heroku' : 'cf-v3', io });
}

/** @throws StagerError USAGE when it is no workspace, or belongs to a process that lives. */
async function keptWorkspace(dir: string): Promise<Workspace> {
  const root = await realpath(dir).catch(() => dir);
  const workspace = workspaceAt(root);
  for (const path of [workspace.app, workspace.platform, workspace.deps]) {
    const facts = await stat(path).catch(() => undefined);
    if (facts?.isDirectory() === true) continue;
    throw new StagerError('USAGE', `${dir} is no workspace: it has no directory ${path.slice(root.length)}`, {
      next: 'Name a directory that `stager stage --keep always` printed.',
      details: { workspace: dir },
    });
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
}

/** bash where the stack has it, as most scripts do. */
const BASH_OR_SH = 'if [ -x /bin/bash ]; then exec /bin/bash "$@"; fi; exec /bin/sh "$@"';

async function start(staging: Staging, { shell, run, family, io }: Start): Promise<number> {
  const { buildDir, links } = familyPaths(family);
  io.onReady?.({ workspace: run.workspace.root, cwd: buildDir });
  const { terminal, command } = shell;
  const args = command === undefined ? [terminal === undefined ? '-s' : '-i'] : ['-c', command];
  const report = await staging.ports.sandbox.run(
    {
      owner: staging.build,
      argv: ['/bin/sh', '-c', BASH_OR_SH, 'shell', ...args],
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
  const { outcome } = report;
  if (outcome.kind === 'cancelled') throw cancelled(io.signal);
  if (outcome.kind !== 'exited')
    staging.warn('shell-ended', `the shell was ended: ${outcomePhrase(outcome)}`);
  return exitCodeOf(outcome);
}
