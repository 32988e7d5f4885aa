/**
 * A sandbox without isolation for unit tests: the command runs on the host as it is, and paths inside become the
 * host paths that are mounted there, in arguments, environment and directory.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { ExitOutcome, ExitReport } from '../../src/machine/sandbox/port/exit-report.ts';
import type { OnOutput, Sandbox, SandboxSpec } from '../../src/machine/sandbox/port/sandbox.ts';

export class HostSandbox implements Sandbox {
  readonly kind = 'none';
  readonly description = 'the host, for tests';
  readonly unenforced = [];
  readonly owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  /** What was run, in order. */
  readonly specs: SandboxSpec[] = [];
  readonly #running = new Map<string, ChildProcess>();

  /** Commands that still run: 0 when a test has cleaned up. */
  get running(): number {
    return this.#running.size;
  }

  async run(
    spec: SandboxSpec,
    io: { readonly signal: AbortSignal; readonly onOutput: OnOutput },
  ): Promise<ExitReport> {
    this.specs.push(spec);
    const map = (text: string): string =>
      spec.mounts.reduce((mapped, { source, target }) => {
        return target === '/tmp' ? mapped : mapped.replaceAll(target, source);
      }, text);
    const [program, ...args] = spec.argv;
    const child = spawn(program, args.map(map), {
      cwd: map(spec.cwd),
      env: Object.fromEntries(Object.entries(spec.env).map(([name, value]) => [name, map(value)])),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#running.set(spec.owner, child);
    child.stdout.on('data', (chunk: Buffer) => io.onOutput('stdout', chunk));
    child.stderr.on('data', (chunk: Buffer) => io.onOutput('stderr', chunk));
    const kill = (): void => killGroup(child);
    if (io.signal.aborted) kill();
    io.signal.addEventListener('abort', kill, { once: true });
    const startedAt = Date.now();
    const { promise, resolve } = Promise.withResolvers<ExitOutcome>();
    child.once('error', (error) => resolve({ kind: 'not-started', reason: error.message }));
    child.once('close', (code, signal) => {
      if (io.signal.aborted) resolve({ kind: 'cancelled' });
      else resolve(signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signalled', signal });
    });
    // As with a pid namespace: what the command left behind dies with it.
    child.once('exit', kill);
    const outcome = await promise;
    this.#running.delete(spec.owner);
    return { outcome, durationMs: Date.now() - startedAt };
  }

  async signal(owner: string, signal: NodeJS.Signals): Promise<boolean> {
    return this.#running.get(owner)?.kill(signal) ?? false;
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It is gone.
  }
}
