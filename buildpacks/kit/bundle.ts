/**
 * Stagings that are recorded, and stagings from what was recorded (`stager stage --record-dependencies`, `--offline`).
 * What is fetched lies in CACHE_DIR in any case; what servers answered beside (lists of versions, checksums, indexes of
 * Debian, that a file is not there) is kept in `CACHE_DIR/answers` when a staging is recorded, and asked from there.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildpackFailure } from './failure.ts';
import { hideCredentials } from './log.ts';
import type { Env } from './mirrors.ts';

/** The variable that stager sets; it is not passed on to tools. */
export const BUNDLE_VARIABLE = 'STAGER_DEPENDENCIES';

type Mode = 'record' | 'offline';

const current = new AsyncLocalStorage<{ readonly mode: Mode; readonly dir: string }>();

/** Runs a step in the mode that the variable names. */
export async function inBundleMode<T>(value: string | undefined, cacheDir: string, run: () => Promise<T>) {
  const dir = join(cacheDir, 'answers');
  if (value === 'record' || value === 'offline') return current.run({ mode: value, dir }, run);
  // Nobody would ask them again.
  await rm(dir, { recursive: true, force: true });
  return run();
}

/** Whether the staging has nothing but its bundle. */
export const isOffline = (): boolean => current.getStore()?.mode === 'offline';

/** Whether all that is fetched has to stay in CACHE_DIR. */
export const isRecording = (): boolean => current.getStore()?.mode === 'record';

/** What tells tools to look into their caches only. Some have no variable and are given a flag where they are started. */
export function offlineVariables(): Env {
  if (!isOffline()) return {};
  return {
    npm_config_offline: 'true',
    YARN_ENABLE_NETWORK: '0',
    UV_OFFLINE: '1',
    GOPROXY: 'off',
    CARGO_NET_OFFLINE: 'true',
    COMPOSER_DISABLE_NETWORK: '1',
  };
}

/** What a server said: a body, or the status of a refusal. */
export type Answer = { readonly body: AsyncIterable<Uint8Array> } | { readonly status: number };

/**
 * What was recorded for `url` (without credentials); undefined where servers are asked.
 *
 * @throws BuildpackFailure when nothing was recorded.
 */
export async function recordedAnswer(url: string): Promise<Answer | undefined> {
  const { mode, dir } = current.getStore() ?? {};
  if (mode !== 'offline' || dir === undefined) return undefined;
  const path = join(dir, nameOf(url));
  const status = await readFile(`${path}.status`, 'utf8').catch(() => undefined);
  if (status !== undefined) return { status: Number(status) };
  const file = createReadStream(path);
  const opened = await new Promise<boolean>((resolve) => {
    file.once('open', () => resolve(true)).once('error', () => resolve(false));
  });
  if (opened) return { body: file };
  throw new BuildpackFailure(`${hideCredentials(url)} is not in the bundle`, {
    next: 'Something differs from the staging that was recorded (the app, its lock files, a buildpack): record the bundle again where there is a network.',
  });
}

/** Keeps an answer, if this staging is recorded. */
export async function recordAnswer(
  url: string,
  answer: Uint8Array | { readonly status: number },
): Promise<void> {
  const { mode, dir } = current.getStore() ?? {};
  if (mode !== 'record' || dir === undefined) return;
  await mkdir(dir, { recursive: true });
  const isBody = answer instanceof Uint8Array;
  const path = join(dir, `${nameOf(url)}${isBody ? '' : '.status'}`);
  await writeFile(`${path}.new`, isBody ? answer : `${answer.status}`);
  await rename(`${path}.new`, path);
}

function nameOf(url: string): string {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  return createHash('sha256').update(bare.href).digest('hex');
}
