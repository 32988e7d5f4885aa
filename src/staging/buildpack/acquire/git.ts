/**
 * Clones buildpacks: shallow with submodules, in full where that fails, at a branch, tag or commit.
 *
 * git runs with an environment of its own and without the machine's configuration; credentials travel in its
 * environment, never in its arguments, which every user of the machine can read.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { ProxySettings } from '../../../config/proxy.ts';
import { removeTree } from '../../../machine/host/remove-tree.ts';
import type { FilteringProxy } from '../../../machine/network/filtering-proxy.ts';
import { proxyVariables } from '../../../machine/proxy/proxy-settings.ts';
import { StagerError, throwIfCancelled } from '../../../words/errors.ts';
import { createRedactor } from '../../logs/redact.ts';
import type { Reference } from '../contract/reference.ts';
import { refused } from './download-failure.ts';

/** Milliseconds of one git command. */
const TIMEOUT_MS = 10 * 60_000;

/** What git needs of the machine. */
export interface GitOptions {
  /** Where git and ssh are found. */
  readonly searchPath: string;
  readonly proxy: ProxySettings;
  /** Makes the file with certificate authorities that replaces git's own, when the operator has some. */
  readonly caFile?: () => Promise<string | undefined>;
  /** Where there are rules for what is cloned: what git has to go through. */
  readonly filter?: () => Promise<FilteringProxy>;
  /** Socket of an ssh agent. */
  readonly sshAuthSock?: string;
  readonly signal: AbortSignal;
}

/** What can be cloned. */
export type GitReference = Extract<Reference, { kind: 'git' }>;

/**
 * Clones into `dir`, which must not exist, and removes git's own data from the tree.
 *
 * @returns the commit.
 * @throws StagerError BUILDPACK_DOWNLOAD_FAILED, CANCELLED.
 */
export async function clone(reference: GitReference, dir: string, options: GitOptions): Promise<string> {
  const proxy = await options.filter?.();
  try {
    return await cloneThrough(proxy, reference, { ...options, dir });
  } finally {
    proxy?.close();
  }
}

async function cloneThrough(
  proxy: FilteringProxy | undefined,
  reference: GitReference,
  { dir, ...options }: GitOptions & { readonly dir: string },
): Promise<string> {
  const git = runner(reference, options, { caFile: await options.caFile?.(), proxy });
  const { ref } = reference;
  const { url } = reference.address;
  const failures: string[] = [];
  for (const way of ways(url, ref)) {
    throwIfCancelled(options.signal);
    await removeTree(dir);
    try {
      for (const args of way(dir)) await git(args);
      const commit = await git(['-C', dir, 'rev-parse', 'HEAD']);
      await removeGitData(dir);
      return commit.trim();
    } catch (error) {
      if (!(error instanceof GitFailed)) throw error;
      failures.push(error.message);
    }
    // The other ways lead to the same place.
    const [why] = proxy?.refused ?? [];
    if (why !== undefined) throw refused(reference.key, new Error(why));
  }
  await removeTree(dir);
  const reason = failures.at(-1) ?? 'git failed';
  const what = ref === undefined ? reference.key : `${reference.key} at ${ref}`;
  throw new StagerError('BUILDPACK_DOWNLOAD_FAILED', `buildpack ${what} can't be cloned: ${reason}`, {
    next: 'Check the address, the branch, tag or commit after #, and that it can be read without a prompt.',
    details: { buildpack: reference.key, reason, ...(ref !== undefined && { ref }) },
  });
}

type Way = (dir: string) => readonly (readonly string[])[];

/** Ways to get the commit, the cheapest first. */
function ways(url: string, ref: string | undefined): readonly Way[] {
  const deep = ['clone', '--quiet', '--recurse-submodules'];
  const shallow = [...deep, '--depth', '1', '--shallow-submodules'];
  const branch = ref === undefined ? [] : ['--branch', ref];
  const submodules = ['submodule', 'update', '--quiet', '--init', '--recursive'];
  const atCommit: Way = (dir) => [
    ['clone', '--quiet', '--no-checkout', '--', url, dir],
    ['-C', dir, 'checkout', '--quiet', '--detach', ref ?? 'HEAD', '--'],
    ['-C', dir, ...submodules],
  ];
  const fetchCommit: Way = (dir) => [
    ['init', '--quiet', '--', dir],
    ['-C', dir, 'remote', 'add', 'origin', url],
    ['-C', dir, 'fetch', '--quiet', '--depth', '1', 'origin', ref ?? 'HEAD'],
    ['-C', dir, 'checkout', '--quiet', '--detach', 'FETCH_HEAD', '--'],
    ['-C', dir, ...submodules, '--depth', '1'],
  ];
  if (isCommit(ref)) return [fetchCommit, atCommit];
  const named: readonly Way[] = [
    (dir) => [[...shallow, ...branch, '--', url, dir]],
    (dir) => [[...deep, ...branch, '--', url, dir]],
  ];
  return ref !== undefined && /^[0-9a-f]{7,39}$/i.test(ref) ? [...named, atCommit] : named;
}

/** Whether a ref is a full commit hash, which never moves. */
export function isCommit(ref: string | undefined): ref is string {
  return ref !== undefined && /^[0-9a-f]{40}$/i.test(ref);
}

class GitFailed extends Error {}

function runner(
  reference: GitReference,
  options: GitOptions,
  { caFile, proxy }: { readonly caFile: string | undefined; readonly proxy: FilteringProxy | undefined },
): (args: readonly string[]) => Promise<string> {
  const { credentials } = reference.address;
  const secrets = credentials === undefined ? [] : [credentials.password, basic(credentials)];
  const redact = createRedactor(secrets);
  const env = {
    ...environment(reference, options, proxy),
    ...(caFile !== undefined && { GIT_SSL_CAINFO: caFile }),
  };
  return async (args) => {
    throwIfCancelled(options.signal);
    const child = execa('git', args, {
      env,
      extendEnv: false,
      stdin: 'ignore',
      reject: false,
      // A group of its own: git leaves its transport helpers running when only git itself is killed.
      detached: true,
      timeout: TIMEOUT_MS,
      maxBuffer: 1024 * 1024,
    });
    const kill = (): void => killGroup(child.pid);
    options.signal.addEventListener('abort', kill, { once: true });
    const done = await child;
    options.signal.removeEventListener('abort', kill);
    kill();
    throwIfCancelled(options.signal);
    if (done.timedOut) throw new GitFailed(`git ${args[0]} took longer than ${TIMEOUT_MS / 60_000} minutes`);
    if (done.code === 'ENOENT') throw new GitFailed('git is not installed');
    if (done.failed) throw new GitFailed(lastLines(redact(done.stderr)) || `git ended with ${done.exitCode}`);
    return done.stdout;
  };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It is gone, as it should be.
  }
}

/** The lines that say what went wrong; hints and progress before them are left out. */
function lastLines(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('hint:'));
  const fatal = lines.filter((line) => /^(fatal|error|remote|ERROR)/.test(line));
  return (fatal.length > 0 ? fatal : lines).slice(-3).join('; ').slice(0, 1000);
}

function environment(
  reference: GitReference,
  options: GitOptions,
  proxy: FilteringProxy | undefined,
): Record<string, string> {
  const { url, credentials } = reference.address;
  // A repository from the network must not make us clone directories of this machine as its submodules.
  const isLocal = url.startsWith('file:') || !url.includes(':');
  const settings: (readonly [string, string])[] = [
    ['core.hooksPath', '/dev/null'],
    ['core.symlinks', 'true'],
    ['advice.detachedHead', 'false'],
    // A repository owned by somebody else is data here, nothing in it is run.
    ['safe.directory', '*'],
  ];
  if (credentials !== undefined && URL.canParse(url)) {
    settings.push([`http.${new URL(url).origin}/.extraHeader`, `Authorization: Basic ${basic(credentials)}`]);
  }
  return {
    PATH: options.searchPath,
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    // The others go through no proxy of HTTP.
    GIT_ALLOW_PROTOCOL:
      proxy !== undefined ? 'https:http' : isLocal ? 'https:http:ssh:git:file' : 'https:http:ssh:git',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes',
    GIT_LFS_SKIP_SMUDGE: '1',
    ...proxyVariables(proxy === undefined ? options.proxy : { http: proxy.url, https: proxy.url }),
    ...(options.sshAuthSock !== undefined && { SSH_AUTH_SOCK: options.sshAuthSock }),
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(
      settings.flatMap(([name, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, name],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
  };
}

function basic(credentials: { readonly user: string; readonly password: string }): string {
  return Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64');
}

/** `.git` of the repository and the `.git` files of its submodules: they carry times and addresses. */
async function removeGitData(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.name === '.git') await (entry.isDirectory() ? removeTree(path) : rm(path));
    else if (entry.isDirectory()) await removeGitData(path);
  }
}
