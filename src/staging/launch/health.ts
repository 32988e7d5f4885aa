/**
 * When is a process healthy, and does it stay so (staging-internals.md 7.5): checked often until it first
 * passes, at an interval from then on. Never healthy in time, or failing once later, ends the instance.
 */

import { START_TIMEOUT_MS } from '../../config/limits.ts';
import type { Clock } from '../../words/clock.ts';
import { StagerError } from '../../words/errors.ts';
import { pause } from '../../words/retry.ts';
import type { Probe, ProbeFailure, ProbeTarget } from './probe.ts';

/** As a manifest says it; times in milliseconds. */
export interface HealthCheck {
  readonly type: 'port' | 'http' | 'process';
  /** Path for `http`. */
  readonly httpEndpoint?: string;
  /** Time until the first check has to pass. */
  readonly startTimeoutMs?: number;
  /** Time for one check. */
  readonly invocationTimeoutMs?: number;
  /** Between checks once healthy. */
  readonly intervalMs?: number;
  /** Between checks until then. */
  readonly startupPollMs?: number;
}

/** Cloud Foundry's defaults, except for the poll: its cells check every 2 s, and people are less patient. */
const HEALTH_DEFAULTS = {
  httpEndpoint: '/',
  startTimeoutMs: START_TIMEOUT_MS,
  invocationTimeoutMs: 1_000,
  intervalMs: 30_000,
  startupPollMs: 250,
} as const;

/** A check with everything filled in. */
export type CompleteHealthCheck = Required<HealthCheck>;

const MAX_PATH = 255;

/**
 * Fills in what is not given: `port` for web, `process` for other types.
 *
 * @throws StagerError USAGE for invalid times and an invalid path.
 */
export function completeHealthCheck(processType: string, given?: HealthCheck): CompleteHealthCheck {
  const type = given?.type ?? (processType === 'web' ? 'port' : 'process');
  const check = { ...HEALTH_DEFAULTS, ...given, type };
  const { httpEndpoint: path } = check;
  if (!path.startsWith('/') || path.length > MAX_PATH || !/^[\x21-\x7e]+$/.test(path)) {
    throw refused(
      `health check path ${JSON.stringify(path)}`,
      `a path that starts with / and has at most ${MAX_PATH} characters and no spaces`,
    );
  }
  for (const key of ['startTimeoutMs', 'invocationTimeoutMs', 'intervalMs', 'startupPollMs'] as const) {
    const value = check[key];
    if (!Number.isFinite(value) || value < 1)
      throw refused(`health check ${key} ${value}`, 'a time of at least 1 ms');
  }
  return check;
}

function refused(what: string, wanted: string): StagerError {
  return new StagerError('USAGE', `${what} is refused`, { next: `Give ${wanted}.`, details: { what } });
}

/** `port 8080`, `GET /health on port 8080`, `process` */
export function describeCheck(check: CompleteHealthCheck, port: number): string {
  if (check.type === 'process') return 'process';
  return check.type === 'port' ? `port ${port}` : `GET ${check.httpEndpoint} on port ${port}`;
}

/** What {@link watchHealth} needs. */
export interface HealthWatch {
  readonly check: CompleteHealthCheck;
  readonly port: number;
  readonly probe: Probe;
  readonly clock: Clock;
  /** Fires when the process has ended or is being stopped: the watch ends silently. */
  readonly signal: AbortSignal;
  /** Called once, when the first check passes. */
  readonly onHealthy: (afterMs: number) => void;
}

/** How a watch ended. */
export type HealthEnd =
  | { readonly kind: 'over' }
  | {
      readonly kind: 'unhealthy';
      /** A sentence with the limit and the last failure. */
      readonly message: string;
      readonly everHealthy: boolean;
      /** Whether the last check reached the app. */
      readonly reached: boolean;
    };

/** Watches until `signal` fires or the process is unhealthy. Never rejects. */
export async function watchHealth(watch: HealthWatch): Promise<HealthEnd> {
  const { check, clock, signal } = watch;
  const startedAt = clock.now();
  let failure: ProbeFailure | undefined = { message: 'not checked yet', reached: false };
  while (failure !== undefined) {
    await pause(check.startupPollMs, { clock, signal });
    if (signal.aborted) return { kind: 'over' };
    failure = await probeOnce(watch);
    if (signal.aborted) return { kind: 'over' };
    if (failure !== undefined && clock.now() - startedAt >= check.startTimeoutMs) {
      const message = `not healthy within ${check.startTimeoutMs} ms; last check: ${failure.message}`;
      return { kind: 'unhealthy', message, everHealthy: false, reached: failure.reached };
    }
  }
  watch.onHealthy(clock.now() - startedAt);
  for (;;) {
    await pause(check.intervalMs, { clock, signal });
    if (signal.aborted) return { kind: 'over' };
    failure = await probeOnce(watch);
    if (signal.aborted) return { kind: 'over' };
    if (failure !== undefined) {
      const message = `was healthy, then failed: ${failure.message}`;
      return { kind: 'unhealthy', message, everHealthy: true, reached: failure.reached };
    }
  }
}

async function probeOnce({ check, port, probe, signal }: HealthWatch): Promise<ProbeFailure | undefined> {
  const target = probeTarget(check, port);
  // Alive is healthy: the watch would be over otherwise.
  if (target === undefined) return undefined;
  return await probe(target, { timeoutMs: check.invocationTimeoutMs, signal });
}

function probeTarget(check: CompleteHealthCheck, port: number): ProbeTarget | undefined {
  if (check.type === 'process') return undefined;
  return check.type === 'port' ? { type: 'port', port } : { type: 'http', port, path: check.httpEndpoint };
}
