/** Fetches buildpacks that are named by URL: zips over HTTP, everything else with git. */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { formatUrl, type GoUrl, parseUrl } from '../../words/go-url.ts';
import type { BuilderConfig } from './builder-flags.ts';
import type { BuildpackDirectories } from './buildpack-directories.ts';
import { failure } from './failure.ts';
import { withPathError } from './go/errno.ts';
import { findProgram } from './go/path.ts';

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
    if (parsed.url.path.endsWith('.zip')) {
      // Most stagings download nothing, and need no HTTP.
      const { downloadZip } = await import('./download-zip.ts');
      await downloadZip(parsed.url, target, context);
    } else await cloneGit(parsed.url, target, context.env);
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
