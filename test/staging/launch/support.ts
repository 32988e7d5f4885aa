/** Droplets of a few files, and runs of them whose events are kept. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Sandbox } from '../../../src/machine/sandbox/port/sandbox.ts';
import { logPrefix, type RunEvent } from '../../../src/staging/launch/events.ts';
import { type RunDirs, runDirsAt } from '../../../src/staging/launch/layout.ts';
import type { Probe } from '../../../src/staging/launch/probe.ts';
import { runProcesses } from '../../../src/staging/launch/run-processes.ts';
import type { RunRequest } from '../../../src/staging/launch/run-request.ts';
import type { DropletRun } from '../../../src/staging/launch/supervise.ts';
import { type Clock, systemClock } from '../../../src/words/clock.ts';
import { newGuid } from '../../../src/words/ids.ts';

/** Makes a run directory with a droplet of these files; path → content, an empty app if there is none. */
export async function dropletOf(files: Readonly<Record<string, string>>): Promise<RunDirs> {
  const dirs = runDirsAt(await mkdtemp(join(tmpdir(), 'stager-launch-')));
  await mkdir(join(dirs.home, 'app'), { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dirs.home, path)), { recursive: true });
    await writeFile(join(dirs.home, path), content, { mode: 0o755 });
  }
  return dirs;
}

export async function removeRun(dirs: RunDirs): Promise<void> {
  await rm(dirs.root, { recursive: true, force: true });
}

/** A request for the droplet at `dirs`, with what matters to a test on top. */
export function requestFor(dirs: RunDirs, more: Partial<RunRequest> = {}): RunRequest {
  return {
    guid: newGuid(),
    dirs,
    app: { guid: '5b2bd2a5-0d0c-4d5f-9b5c-111111111111', name: 'my-app' },
    target: { kind: 'process' },
    env: {},
    memoryMb: 256,
    diskMb: 256,
    rootfs: { kind: 'host' },
    network: 'host',
    healthCheck: { type: 'process', startupPollMs: 20 },
    ...more,
  };
}

export interface Watched {
  readonly run: DropletRun;
  readonly events: readonly RunEvent[];
  /** All log lines, each with its prefix: `[APP/PROC/WEB/0] text`. */
  lines(): string[];
  /** Resolves with the first event that `wanted` accepts, past ones included. */
  until(wanted: (event: RunEvent) => boolean): Promise<RunEvent>;
  /** Resolves when a log line holds `text`. */
  untilLogged(text: string): Promise<void>;
}

/** Starts a run and keeps its events. */
export async function watchRun(
  sandbox: Sandbox,
  request: RunRequest,
  more: { readonly signal?: AbortSignal; readonly clock?: Clock; readonly probe?: Probe } = {},
): Promise<Watched> {
  const events: RunEvent[] = [];
  const waiting = new Set<() => void>();
  const run = await runProcesses(request, {
    sandbox,
    clock: more.clock ?? systemClock,
    signal: more.signal ?? new AbortController().signal,
    emit: (event) => {
      events.push(event);
      for (const look of waiting) look();
    },
    ...(more.probe === undefined ? {} : { probe: more.probe }),
  });
  const until = async (wanted: (event: RunEvent) => boolean): Promise<RunEvent> => {
    const { promise, resolve } = Promise.withResolvers<RunEvent>();
    const look = (): void => {
      const found = events.find(wanted);
      if (found !== undefined) resolve(found);
    };
    waiting.add(look);
    look();
    return await promise.finally(() => waiting.delete(look));
  };
  return {
    run,
    events,
    lines: () =>
      events.flatMap((event) => (event.type === 'log' ? [`${logPrefix(event.source)} ${event.text}`] : [])),
    until,
    untilLogged: async (text) => {
      await until((event) => event.type === 'log' && event.text.includes(text));
    },
  };
}
