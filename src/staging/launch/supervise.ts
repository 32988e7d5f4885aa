/**
 * Keeps the commands of one run together: one ends, all end; an unhealthy process ends them as well, and so
 * does the caller. SIGTERM first, SIGKILL when the grace is over (staging-internals.md 7.4 to 7.6).
 */
import type { Clock } from '../../words/clock.ts';
import { StagerError } from '../../words/errors.ts';
import type { EmitRun, LogSource, StopReason } from './events.ts';
import { type CompleteHealthCheck, describeCheck, type HealthEnd, watchHealth } from './health.ts';
import type { Instance, InstanceEnd } from './instance.ts';
import type { Probe } from './probe.ts';

/** Milliseconds between SIGTERM and SIGKILL, as on a Cloud Foundry cell. */
export const STOP_GRACE_MS = 10_000;

/** Why a run has ended. */
export type RunEnd =
  /** A command ended by itself; `source` is the one that ended first. */
  | { readonly kind: 'exited'; readonly source: LogSource; readonly everHealthy: boolean }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'unhealthy'; readonly failure: StagerError; readonly everHealthy: boolean };

/** How a run ended. */
export interface RunResult {
  readonly end: RunEnd;
  /**
   * The code of the command that ended first; of the process (or task) itself when the run was stopped, or
   * ended as unhealthy. As a shell has it: 128 + n after a signal.
   */
  readonly exitCode: number;
  /** The process or task. */
  readonly main: InstanceEnd;
  readonly sidecars: readonly InstanceEnd[];
}

/** Whether a run came up. */
export type Readiness =
  | { readonly kind: 'healthy'; readonly afterMs: number }
  /** It ended first. A task is never ready, it ends. */
  | { readonly kind: 'ended'; readonly result: RunResult };

/** A droplet that runs. */
export interface DropletRun {
  /** Where it was told to listen; absent for a task. */
  readonly port?: number;
  /** Settles at the first passed health check, or with the end. Rejects as `done` does. */
  readonly ready: Promise<Readiness>;
  /** Settles when every command is gone. Rejects with STACK_INVALID (no bash) or SANDBOX_FAILED. */
  readonly done: Promise<RunResult>;
  /**
   * SIGTERM, and SIGKILL after `graceMs` (default {@link STOP_GRACE_MS}; 0 kills at once). Calling it again
   * with 0 cuts a grace short.
   */
  stop(options?: { readonly graceMs?: number }): Promise<RunResult>;
}

/** What {@link supervise} needs. */
export interface Supervised {
  readonly main: Instance;
  readonly sidecars: readonly Instance[];
  /** Absent for a task. */
  readonly health?: { readonly check: CompleteHealthCheck; readonly port: number; readonly probe: Probe };
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly emit: EmitRun;
}

/** Takes over commands that were just started. */
export function supervise(input: Supervised): DropletRun {
  const supervisor = new Supervisor(input);
  return {
    ...(input.health === undefined ? {} : { port: input.health.port }),
    ready: supervisor.ready,
    done: supervisor.done,
    stop: (options) => supervisor.requestStop(options?.graceMs ?? STOP_GRACE_MS),
  };
}

class Supervisor {
  readonly ready: Promise<Readiness>;
  readonly done: Promise<RunResult>;
  readonly #input: Supervised;
  readonly #all: readonly Instance[];
  /** Ends the health watch. */
  readonly #over = new AbortController();
  readonly #healthy = Promise.withResolvers<Readiness>();
  #everHealthy = false;
  #stopping = false;
  /** What made the run end; the first reason stays. */
  #end: RunEnd | undefined;
  #callOffKill: (() => void) | undefined;

  constructor(input: Supervised) {
    this.#input = input;
    this.#all = [input.main, ...input.sidecars];
    const onAbort = (): void => void this.requestStop(STOP_GRACE_MS).catch(() => undefined);
    if (input.signal.aborted) onAbort();
    input.signal.addEventListener('abort', onAbort, { once: true });
    this.done = this.#wait().finally(() => {
      this.#over.abort();
      this.#callOffKill?.();
      input.signal.removeEventListener('abort', onAbort);
    });
    this.ready = Promise.race([
      this.#healthy.promise,
      this.done.then((result): Readiness => ({ kind: 'ended', result })),
    ]);
    // A caller may look at one of the two only, or later: neither may end the program meanwhile.
    this.done.catch(() => undefined);
    this.ready.catch(() => undefined);
    void this.#watch();
  }

  async requestStop(graceMs: number): Promise<RunResult> {
    this.#end ??= { kind: 'stopped' };
    this.#stop({ kind: 'requested' }, graceMs);
    return await this.done;
  }

  async #wait(): Promise<RunResult> {
    const { main, sidecars } = this.#input;
    const ends = await Promise.allSettled(this.#all.map((instance) => this.#follow(instance)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    const mainEnd = await main.ended;
    const sidecarEnds = await Promise.all(sidecars.map((sidecar) => sidecar.ended));
    const end = this.#end ?? { kind: 'stopped' };
    const first =
      end.kind === 'exited' ? sidecarEnds.find((sidecar) => sidecar.source === end.source) : undefined;
    return { end, exitCode: (first ?? mainEnd).exitCode, main: mainEnd, sidecars: sidecarEnds };
  }

  /** Waits for one command; its end, or its failure to start, is the end of the others. */
  async #follow(instance: Instance): Promise<void> {
    try {
      await instance.ended;
    } finally {
      const ended = instance.source;
      this.#over.abort();
      this.#end ??= { kind: 'exited', source: ended, everHealthy: this.#everHealthy };
      if (this.#all.some((other) => other.alive)) {
        this.#stop({ kind: 'codependent', ended }, STOP_GRACE_MS);
      }
    }
  }

  /** Sends SIGTERM once; a later call can only shorten the time until SIGKILL. */
  #stop(reason: StopReason, graceMs: number): void {
    const first = !this.#stopping;
    this.#stopping = true;
    this.#over.abort();
    if (graceMs === 0) {
      this.#kill();
      return;
    }
    if (!first) return;
    const { emit, clock } = this.#input;
    emit({ type: 'stopping', at: this.#now(), reason, graceMs });
    for (const instance of this.#all) void instance.terminate();
    this.#callOffKill = clock.schedule(graceMs, () => this.#kill());
  }

  #kill(): void {
    this.#callOffKill?.();
    const alive = this.#all.filter((instance) => instance.alive);
    if (alive.length === 0) return;
    this.#input.emit({ type: 'killing', at: this.#now(), sources: alive.map(({ source }) => source) });
    for (const instance of alive) instance.kill();
  }

  async #watch(): Promise<void> {
    const { health, clock, emit } = this.#input;
    if (health === undefined) return;
    const what = describeCheck(health.check, health.port);
    const end = await watchHealth({
      ...health,
      clock,
      signal: this.#over.signal,
      onHealthy: (afterMs) => {
        this.#everHealthy = true;
        emit({ type: 'healthy', at: this.#now(), check: what, afterMs });
        this.#healthy.resolve({ kind: 'healthy', afterMs });
      },
    });
    if (end.kind === 'unhealthy') this.#unhealthy(end, what);
  }

  #unhealthy(end: Extract<HealthEnd, { kind: 'unhealthy' }>, check: string): void {
    const { message, everHealthy, reached } = end;
    this.#input.emit({ type: 'unhealthy', at: this.#now(), check, message });
    const failure = new StagerError('HEALTH_CHECK_FAILED', `${this.#input.main.source.id} ${message}`, {
      next: adviceFor(this.#input.health?.check, reached),
      phase: 'launch',
      details: { check, everHealthy },
    });
    this.#end ??= { kind: 'unhealthy', failure, everHealthy };
    this.#stop({ kind: 'unhealthy', message }, STOP_GRACE_MS);
  }

  #now(): string {
    return new Date(this.#input.clock.now()).toISOString();
  }
}

function adviceFor(check: CompleteHealthCheck | undefined, reached: boolean): string {
  if (check?.type === 'http' && reached) {
    return (
      `The app listens where it should, and has to answer GET ${check.httpEndpoint} with status 200; see its log, name ` +
      'another path (--health-check-endpoint of stager run, health-check-http-endpoint of a manifest), allow more ' +
      'time, or use the port check.'
    );
  }
  return 'The app has to listen on $PORT of 0.0.0.0; see its log, allow more time, or use the process check.';
}
