/** Fetches buildpacks that are named by URL: zips over HTTP, everything else with git. */
import { spawn } from 'node:child_process';
import { closeSync, constants, createWriteStream, openSync, rmSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatUrl, type GoUrl, parseUrl } from '../../words/go-url.ts';
import type { BuilderConfig } from './builder-flags.ts';
import type { BuildpackDirectories } from './buildpack-directories.ts';
import { failure } from './failure.ts';
import { pathError, withPathError } from './go/errno.ts';
import { call } from './go/http.ts';
import { bodyReason } from './go/http-failures.ts';
import { findProgram, join } from './go/path.ts';
import { systemRoots } from './go/system-roots.ts';
import { byteSize } from './go/text.ts';
import { extractZip } from './zip-archive.ts';

/** What a download needs. */
export interface DownloadContext {
  readonly config: BuilderConfig;
  readonly directories: BuildpackDirectories;
  readonly env: Readonly<Record<string, string>>;
  readonly stdout: (text: string) => void;
}

/** Downloads every buildpack of the order that is a URL, one after the other. @throws DropinFailure */
export async function downloadBuildpacks(context: DownloadContext): Promise<void> {
  for (const key of context.config.buildpackOrder) {
    const parsed = parseUrl(key);
    if (!parsed.ok) throw failure(`Invalid buildpack url (${key})`, parsed.message);
    if (parsed.url.scheme === '') continue;
    const target = context.directories.target(key);
    if (parsed.url.path.endsWith('.zip')) await downloadZip(parsed.url, target, context);
    else await cloneGit(parsed.url, target, context.env);
  }
}

const ATTEMPTS = 4;
const ATTEMPT_MS = 10 * 60_000;
const IDLE_MS = 10_000;
const PAUSES_MS = [500, 1000, 2000];

async function downloadZip(url: GoUrl, target: string, context: DownloadContext): Promise<void> {
  const shown = formatUrl(url);
  const file = temporaryFile(context.env['TMPDIR'] ?? '', basename(url.path));
  try {
    try {
      await fetchTo(file, url, context);
    } catch (error) {
      throw failure(`Failed to download buildpack '${shown}'`, error);
    }
    const { size } = statSync(file);
    try {
      await extractZip(file, target);
    } catch (error) {
      throw failure(`Failed to extract buildpack '${shown}'`, error);
    }
    context.stdout(`Downloaded buildpack \`${shown}\` (${byteSize(size)})\n`);
  } finally {
    rmSync(file, { force: true });
  }
}

function temporaryFile(directory: string, name: string): string {
  const file = join(directory === '' ? '/tmp' : directory, `${name}${randomNumber()}`);
  try {
    closeSync(openSync(file, 'wx', 0o600));
    return file;
  } catch (error) {
    throw failure('Could not create zip file', pathError('open', file, error));
  }
}

/** A number as Go puts it behind the names of temporary files. */
export function randomNumber(): number {
  return Math.floor(Math.random() * 2 ** 32);
}

async function fetchTo(file: string, url: GoUrl, context: DownloadContext): Promise<void> {
  const { env } = context;
  const tls = context.config.skipCertVerify ? { rejectUnauthorized: false } : { ca: [...systemRoots(env)] };
  for (let attempt = 0; ; attempt++) {
    try {
      const signal = AbortSignal.timeout(ATTEMPT_MS);
      const response = await call({ method: 'GET', url, env, tls, signal, idleMs: IDLE_MS });
      if (response.status !== 200) response.body.destroy();
      if (response.status === 304) return;
      if (response.status !== 200) throw new Error(`Download failed: Status code ${response.status}`);
      await receive(file, response.body);
      return;
    } catch (error) {
      if (attempt === ATTEMPTS - 1) throw error;
      await sleep((PAUSES_MS[attempt] ?? 0) + Math.random() * 200);
    }
  }
}

/** A body that breaks off takes the file with it, so that all later attempts fail at the file: as in the original. */
async function receive(file: string, body: Readable): Promise<void> {
  let fd: number;
  try {
    fd = withPathError('open', file, () => openSync(file, constants.O_WRONLY));
  } catch (error) {
    body.destroy();
    throw error;
  }
  try {
    await pipeline(body, createWriteStream('', { fd }));
  } catch (error) {
    rmSync(file, { force: true });
    throw new Error(bodyReason(error), { cause: error });
  }
}

async function cloneGit(url: GoUrl, target: string, env: Readonly<Record<string, string>>): Promise<void> {
  const git = findProgram('git', env);
  if (git === undefined) throw failure('exec: "git": executable file not found in $PATH');
  const address = formatUrl({ ...url, fragment: '' });
  const branch = url.fragment === '' ? [] : ['-b', url.fragment];
  const full = ['--recursive', address, target, ...branch];
  if (await succeeds(git, ['clone', '--depth', '1', ...full], env)) return;
  try {
    withPathError('unlinkat', target, () => rmSync(target, { recursive: true, force: true }));
  } catch (error) {
    throw failure(`Failed to remove ${target} prior to cloning on top`, error);
  }
  if (await succeeds(git, ['clone', ...full], env)) return;
  throw failure(`Failed to clone git repository at ${address}`);
}

/** git's own output is for nobody, as in the original. */
async function succeeds(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const child = spawn(program, args, { env, stdio: 'ignore' });
  child.once('error', () => resolve(false));
  child.once('close', (code) => resolve(code === 0));
  return promise;
}
