/**
 * A sandbox without isolation for unit tests of the order of scripts: commands run on the host, and the paths of the
 * contract become those of the workspace in arguments and directory. What a script says is never taken on trust
 * here; the conformance tests run in the real one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { ExitOutcome, ExitReport } from '../../src/machine/sandbox/port/exit-report.ts';
import type { OnOutput, Sandbox, SandboxSpec } from '../../src/machine/sandbox/port/sandbox.ts';
import type { Workspace } from '../../src/staging/workspace/layout.ts';

export class MappedSandbox implements Sandbox {
  readonly kind = 'none';
  readonly description = 'the host with mapped paths, for tests';
  readonly unenforced = [];
  readonly owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  /** What was run, in order. */
  readonly specs: SandboxSpec[] = [];
  /** Outcomes to report instead of running, by the end of the program's path. */
  readonly staged = new Map<string, ExitOutcome>();
  readonly #workspace: Workspace;

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  async run(
    spec: SandboxSpec,
    io: { readonly signal: AbortSignal; readonly onOutput: OnOutput },
  ): Promise<ExitReport> {
    this.specs.push(spec);
    for (const [end, outcome] of this.staged) {
      if (spec.argv[0].endsWith(end)) return { outcome, durationMs: 1 };
    }
    const [program, ...args] = spec.argv.map((word) => this.#map(word));
    const child = spawn(program ?? '', args, {
      cwd: this.#map(spec.cwd),
      env: spec.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (chunk: Buffer) => io.onOutput('stdout', chunk));
    child.stderr.on('data', (chunk: Buffer) => io.onOutput('stderr', chunk));
    return { outcome: await ended(child), durationMs: 1, peakMemoryBytes: 1024 };
  }

  async signal(): Promise<boolean> {
    return false;
  }

  #map(text: string): string {
    const { tmp, app } = this.#workspace;
    return text
      .replace(/^\/tmp(?=\/(app|cache|contents|buildpacks|env|home)(\/|$))/, tmp)
      .replace(/^\/app(?=\/|$)/, app);
  }
}

async function ended(child: ChildProcess): Promise<ExitOutcome> {
  const { promise, resolve } = Promise.withResolvers<ExitOutcome>();
  child.once('error', (error) => resolve({ kind: 'not-started', reason: error.message }));
  child.once('close', (code, signal) =>
    resolve(signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signalled', signal }),
  );
  return await promise;
}
