/**
 * Stages an app with buildpacks of fixtures/buildpacks through the real parts: store, registry, resolution, workspace
 * and scripts. The sandbox is the caller's choice.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { httpClient } from '../../src/machine/proxy/http-client.ts';
import type { Sandbox, SandboxLimits } from '../../src/machine/sandbox/port/sandbox.ts';
import { ContentStore } from '../../src/staging/buildpack/acquire/content-store.ts';
import { BuildpackFetcher } from '../../src/staging/buildpack/acquire/fetch.ts';
import { BuildpackRegistry } from '../../src/staging/buildpack/acquire/registry.ts';
import { resolveOrder } from '../../src/staging/buildpack/acquire/resolve.ts';
import type { BuildpackApi } from '../../src/staging/buildpack/contract/family.ts';
import { parseReference } from '../../src/staging/buildpack/contract/reference.ts';
import { type ScriptEnvironmentInput, stagingEnvironment } from '../../src/staging/buildpack/run/env.ts';
import { type BuildpacksOutcome, runBuildpacks } from '../../src/staging/buildpack/run/run-buildpacks.ts';
import { createWorkspace, type OwnedWorkspace } from '../../src/staging/workspace/workspace.ts';
import { systemClock } from '../../src/words/clock.ts';
import type { UntimedEvent } from '../../src/words/events.ts';
import { newGuid } from '../../src/words/ids.ts';
import { Phases } from '../../src/words/phases.ts';
import { chownTree } from './chown-tree.ts';

export const FIXTURES = fileURLToPath(new URL('../../fixtures/buildpacks', import.meta.url));

export const LIMITS: SandboxLimits = {
  memoryBytes: 256 * 1024 ** 2,
  pids: 256,
  diskBytes: 256 * 1024 ** 2,
  wallMs: 60_000,
  openFiles: 1024,
};

/** One staging to do. Names are fixtures, or references when they hold a slash. */
export interface Staging {
  readonly buildpacks: readonly string[];
  readonly mode?: 'detect' | 'explicit';
  /** As if these buildpacks were part of stager. */
  readonly ship?: boolean;
  /** Path → content. */
  readonly app?: Readonly<Record<string, string>>;
  readonly cache?: Readonly<Record<string, string>>;
  readonly env?: Partial<ScriptEnvironmentInput>;
  readonly api?: BuildpackApi;
  readonly stack?: string;
  readonly limits?: Partial<SandboxLimits>;
  readonly secrets?: readonly string[];
  readonly signal?: AbortSignal;
  readonly trace?: boolean;
  readonly network?: 'host' | 'none';
  /** Changes the workspace before the scripts run. */
  readonly prepare?: (workspace: OwnedWorkspace) => Promise<void>;
}

/** What a staging left. */
export interface Staged {
  readonly outcome: BuildpacksOutcome;
  readonly workspace: OwnedWorkspace;
  readonly events: readonly UntimedEvent[];
  /** Lines that scripts wrote, joined. */
  readonly output: string;
  /** Content below the workspace's /tmp, or undefined. */
  read(path: string): Promise<string | undefined>;
}

/** Everything that tests of one file share; `close` removes it. */
export class BuildpackRig {
  readonly root: string;
  readonly store: ContentStore;
  readonly fetcher: BuildpackFetcher;
  readonly #sandbox: (workspace: OwnedWorkspace) => Sandbox;
  readonly #workspaces: OwnedWorkspace[] = [];

  private constructor(root: string, sandbox: (workspace: OwnedWorkspace) => Sandbox) {
    this.root = root;
    this.#sandbox = sandbox;
    this.store = new ContentStore(join(root, 'buildpacks'), systemClock);
    this.fetcher = new BuildpackFetcher({
      store: this.store,
      http: async () => httpClient({ proxy: {}, extraCa: [] }),
      cacheDir: join(root, 'downloads'),
      git: { searchPath: '/usr/bin:/bin', proxy: {} },
      clock: systemClock,
    });
  }

  static async open(sandbox: (workspace: OwnedWorkspace) => Sandbox): Promise<BuildpackRig> {
    return new BuildpackRig(await mkdtemp(join(tmpdir(), 'rig-')), sandbox);
  }

  async close(): Promise<void> {
    for (const workspace of this.#workspaces) await workspace.release({ keep: 'never', failed: false });
    await rm(this.root, { recursive: true, force: true });
  }

  async stage(staging: Staging): Promise<Staged> {
    const workspace = await this.#workspace(staging);
    const sandbox = this.#sandbox(workspace);
    const signal = staging.signal ?? new AbortController().signal;
    const events: UntimedEvent[] = [];
    const report = (event: UntimedEvent): void => void events.push(event);
    const resolved = await this.#resolve(staging, new AbortController().signal);
    const stack = staging.stack ?? 'host';
    const env = stagingEnvironment({
      app: {
        guid: 'f3a1c0de-0000-4000-8000-000000000001',
        name: 'app',
        limits: { memoryMb: 1024, diskMb: 2048, fds: 16_384 },
      },
      stack,
      appEnv: {},
      ...staging.env,
    });
    await chownTree(workspace.tmp, sandbox.owner);
    const outcome = await runBuildpacks(
      {
        build: newGuid(),
        workspace,
        order: staging.ship === true ? resolved.order.map((it) => ({ ...it, ships: true })) : resolved.order,
        mode: resolved.mode,
        rootfs: { kind: 'host' },
        env,
        limits: { ...LIMITS, ...staging.limits },
        network: staging.network ?? 'none',
        secrets: staging.secrets ?? [],
        trace: staging.trace === true,
      },
      { sandbox, signal, report, clock: systemClock, phases: new Phases(report, () => performance.now()) },
    );
    await resolved.release();
    const output = events.flatMap((it) => (it.type === 'output' ? [it.text] : [])).join('\n');
    const read = (path: string): Promise<string | undefined> =>
      readFile(join(workspace.tmp, path), 'utf8').catch(() => undefined);
    return { outcome, workspace, events, output, read };
  }

  /** Writes a buildpack of these scripts and returns its path. */
  async scripted(name: string, scripts: Readonly<Record<string, string>>): Promise<string> {
    const dir = join(this.root, 'scripted', name);
    await rm(dir, { recursive: true, force: true });
    await mkdir(join(dir, 'bin'), { recursive: true });
    for (const [script, text] of Object.entries(scripts)) {
      await writeFile(join(dir, 'bin', script), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
    }
    return dir;
  }

  /** Resolves a staging's buildpacks; in detect mode they are installed in a registry of their own first. */
  async #resolve(staging: Staging, signal: AbortSignal) {
    const { store, fetcher } = this;
    const registry = new BuildpackRegistry({
      dir: join(this.root, `registry-${this.#workspaces.length}`),
      store,
      clock: systemClock,
    });
    const reference = (name: string) =>
      parseReference(name.includes('/') ? name : join(FIXTURES, name), { cwd: FIXTURES });
    const isDetect = staging.mode === 'detect';
    if (isDetect) {
      for (const name of staging.buildpacks) {
        const parsed = reference(name);
        if (parsed.kind === 'installed') throw new Error('a fixture is never an installed one');
        const fetched = await fetcher.fetch(parsed, { signal });
        await registry.add(basename(name), fetched, { signal });
        await fetched.lease.release();
      }
    }
    return await resolveOrder(
      {
        references: isDetect ? [] : staging.buildpacks.map(reference),
        stack: staging.stack ?? 'host',
        ...(staging.api !== undefined && { api: staging.api }),
      },
      { registry, fetcher, store },
      { signal },
    );
  }

  async #workspace(staging: Staging): Promise<OwnedWorkspace> {
    const uid = process.getuid?.() ?? 0;
    const workspace = await createWorkspace({
      parent: join(this.root, 'workspaces'),
      owner: { uid, gid: process.getgid?.() ?? 0 },
      rootMode: 0o711,
    });
    this.#workspaces.push(workspace);
    await writeFiles(workspace.app, staging.app ?? {});
    await writeFiles(workspace.cache, staging.cache ?? {});
    await staging.prepare?.(workspace);
    return workspace;
  }
}

async function writeFiles(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const target = join(dir, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
  }
}
