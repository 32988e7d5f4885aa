/**
 * An OCI runtime's command line: runc's, which crun, runsc and youki follow.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { parseJson } from '../../../words/json.ts';
import { bootId } from '../../host/process-identity.ts';
import type { NetworkKind } from '../port/network.ts';

/** A runtime that was found. */
export interface OciRuntime {
  /** Absolute host path. */
  readonly path: string;
  /** First word of its version: `runc`, `crun`, `runsc` … */
  readonly name: string;
  readonly version: string;
  /** Whether `run --keep` exists: the cgroup can then be read after the end. */
  readonly keeps: boolean;
}

const runtimeSchema: z.ZodType<OciRuntime> = z.object({
  path: z.string(),
  name: z.string(),
  version: z.string(),
  keeps: z.boolean(),
});

/** Texts by key, until the next boot. */
export interface RuntimeMemory {
  recall(key: string): Promise<string | undefined>;
  remember(key: string, text: string): Promise<void>;
}

/** {@link describeRuntime}, asked once for each file of a runtime: starting it twice takes longer than many a script. */
export async function knownRuntime(
  path: string,
  memory: RuntimeMemory,
): Promise<OciRuntime | { readonly why: string }> {
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) return await describeRuntime(path);
  const { dev, ino, size, mtimeMs } = facts;
  const key = `${bootId()}:runtime:${JSON.stringify([path, dev, ino, size, mtimeMs])}`;
  const known = runtimeSchema.safeParse(parseJson((await memory.recall(key)) ?? ''));
  if (known.success) return known.data;
  const found = await describeRuntime(path);
  if (!('why' in found)) await memory.remember(key, JSON.stringify(found));
  return found;
}

/** Asks a program whether it is a runtime: the runtime, or why it is not one. */
export async function describeRuntime(path: string): Promise<OciRuntime | { readonly why: string }> {
  const [version, help] = await Promise.all([
    execa(path, ['--version'], QUIET),
    execa(path, ['run', '--help'], QUIET),
  ]);
  if (version.failed) return { why: `${path} --version failed: ${version.shortMessage}` };
  const parsed = parseVersion(version.stdout);
  if (parsed === undefined) return { why: `${path} --version does not name a runtime and version` };
  return { path, ...parsed, keeps: /(^|\s)--keep\b/m.test(`${help.stdout}\n${help.stderr}`) };
}

const QUIET = { reject: false, stdin: 'ignore', timeout: 60_000 } as const;

/** `runc version 1.1.5+ds1`, `crun version 1.8.1`, `runsc version release-20240101.0`, `youki version: 0.3`. */
export function parseVersion(stdout: string): { name: string; version: string } | undefined {
  const match = /^(\S+) version:? (\S+)/m.exec(stdout);
  const [, name, version] = match ?? [];
  return name === undefined || version === undefined ? undefined : { name, version };
}

/** Files and directories of one run. */
export interface RunFiles {
  readonly id: string;
  readonly bundle: string;
  readonly pidFile: string;
  readonly logFile: string;
  readonly network: NetworkKind;
}

/** Arguments that run a container to its end. */
export function runArguments(
  runtime: OciRuntime,
  how: { readonly state: string; readonly files: RunFiles; readonly noCgroups: boolean },
): string[] {
  const { state, files, noCgroups } = how;
  return [
    ...globalArguments(state, files.logFile),
    // Otherwise it makes a cgroup that nobody asked for, or fails since it may not.
    ...(runtime.name === 'crun' && noCgroups ? ['--cgroup-manager=disabled'] : []),
    // gVisor has a network stack of its own unless told otherwise; the others use the namespaces.
    ...(runtime.name === 'runsc' ? [`--network=${files.network}`] : []),
    'run',
    ...(runtime.keeps ? ['--keep'] : []),
    '--bundle',
    files.bundle,
    '--pid-file',
    files.pidFile,
    files.id,
  ];
}

/** Arguments that kill and forget a container in any state; one that does not exist is fine. */
export function deleteArguments(state: string, files: Pick<RunFiles, 'id' | 'logFile'>): string[] {
  return [...globalArguments(state, files.logFile), 'delete', '--force', files.id];
}

function globalArguments(state: string, logFile: string): string[] {
  return ['--root', state, '--log', logFile, '--log-format', 'json'];
}

const LogLine = z.object({ level: z.string(), msg: z.string() });

/** What the runtime's log says went wrong, for a person; nothing is decided by it. */
export async function loggedErrors(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  const messages = text
    .split('\n')
    .filter(Boolean)
    .flatMap((line) => {
      const parsed = LogLine.safeParse(parseJson(line));
      return parsed.success && parsed.data.level === 'error' ? [parsed.data.msg] : [];
    });
  return [...new Set(messages)].join('; ');
}

/**
 * Removes what a runtime wrote down of a container: a directory of its name (runc, crun, youki), or files that begin with
 * it (gVisor). The way for a container whose processes are gone and had pids of another namespace: the runtime would look
 * for those pids here, wait for whoever has them, or kill them.
 */
export async function forgetContainer(stateRoot: string, id: string): Promise<void> {
  const names = await readdir(stateRoot).catch(() => []);
  const its = names.filter((name) => name === id || name.startsWith(`${id}_`) || name.startsWith(`${id}.`));
  for (const name of its) await rm(join(stateRoot, name), { recursive: true, force: true });
}
