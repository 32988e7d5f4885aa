/**
 * Finds out by trying what works on this machine, and remembers it until the next boot, so that a staging does not
 * pay for it each time.
 */
import { lstat, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { sha256OfBytes } from '../../../words/digest.ts';
import { isStagerError } from '../../../words/errors.ts';
import { parseJson } from '../../../words/json.ts';
import { bootId } from '../../host/process-identity.ts';
import { removeTree } from '../../host/remove-tree.ts';
import { replaceFile } from '../../host/replace-file.ts';
import { type OciOptions, OciSandbox } from './oci.ts';

/** It takes a tenth of a second; a busy machine may need its time. */
const PROBE_TIMEOUT_MS = 60_000;
const PROBE_MEMORY_BYTES = 64 * 1024 * 1024;
const PROBE_DISK_BYTES = 1024 * 1024 * 1024;

/** Why containers of a kind can't be used. */
export interface Unusable {
  readonly why: string;
  /** False where the next try may end otherwise: the time was up. */
  readonly lasting: boolean;
}

/** Runs `true` in a container of this kind: undefined when that worked. */
export async function probe(options: OciOptions, signal: AbortSignal): Promise<Unusable | undefined> {
  const sandbox = await OciSandbox.open({ ...options, bound: 'watch' });
  let said = '';
  try {
    await using own = await sandbox.apart();
    const report = await (options.spaces === true ? own : sandbox).run(
      {
        owner: 'probe',
        argv: ['/bin/sh', '-c', 'exit 0'],
        env: { PATH: '/usr/bin:/bin' },
        cwd: '/',
        rootfs: { kind: 'host' },
        mounts: [],
        diskRoot: options.stateDir,
        limits: {
          memoryBytes: PROBE_MEMORY_BYTES,
          pids: 32,
          diskBytes: PROBE_DISK_BYTES,
          wallMs: PROBE_TIMEOUT_MS,
          openFiles: 256,
        },
        network: 'none',
      },
      {
        signal,
        onOutput: (_, chunk) => {
          said = `${said}${chunk.toString('utf8')}`.slice(-2_000);
        },
      },
    );
    const { outcome } = report;
    if (outcome.kind === 'exited' && outcome.code === 0) return undefined;
    const why = `a first command ended as ${JSON.stringify(outcome)} ${said}`.trim();
    return { why, lasting: outcome.kind !== 'timed-out' };
  } catch (error) {
    if (isStagerError(error, 'SANDBOX_FAILED')) return { why: error.message, lasting: true };
    throw error;
  } finally {
    await sandbox.close();
  }
}

const Memory = z.record(z.string(), z.string());

/** Remembers outcomes of probes in one file. */
export class ProbeMemory {
  readonly #path: string;

  constructor(stateDir: string) {
    this.#path = join(stateDir, 'probes.json');
  }

  /** What was found, `''` for "works", or undefined when nothing is known. */
  async recall(key: string): Promise<string | undefined> {
    return (await this.#load())[key];
  }

  /** Adds to the file; a concurrent writer may win, which costs a probe. */
  async remember(key: string, why: string): Promise<void> {
    const boot = bootId();
    const current = Object.entries(await this.#load()).filter(([known]) => known.startsWith(boot));
    const text = JSON.stringify(Object.fromEntries([...current, [key, why]]));
    // A directory can't be replaced by a file, and it was not a memory.
    if ((await lstat(this.#path).catch(() => undefined))?.isDirectory() === true)
      await removeTree(this.#path);
    await replaceFile(this.#path, text, { mode: 0o600, durable: false });
  }

  async #load(): Promise<Readonly<Record<string, string>>> {
    const text = await readFile(this.#path, 'utf8').catch(() => '');
    // Only a memory: what can't be read is found out again.
    return Memory.safeParse(parseJson(text)).data ?? {};
  }
}

/** Changes with the boot, the runtime's file, the mounts of cgroups, and what is asked for. */
export async function probeKey(options: OciOptions): Promise<string> {
  const { mtimeMs, size, ino } = await stat(options.runtime.path);
  const { runtime, cgroups, guard, stateDir } = options;
  // Another range of ids works as well as the last.
  const ids = [options.ids.description, options.ids.around ?? null];
  const file = [mtimeMs, size, ino];
  const facts = JSON.stringify([
    ...[runtime, file, ids, cgroups.mode, cgroups.parents, cgroups.scope ?? null],
    ...[guard ?? null, stateDir],
  ]);
  return `${bootId()}:${sha256OfBytes(facts)}`;
}
