/** One health check from the host: a TCP connect or an HTTP GET (staging-internals.md 7.5). */
import { get } from 'node:http';
import { connect } from 'node:net';
import type { OwnNetwork } from '../../machine/sandbox/port/network.ts';
import { errnoOf } from '../../words/errors.ts';

/** What to check. */
export type ProbeTarget =
  | { readonly type: 'port'; readonly port: number }
  | { readonly type: 'http'; readonly port: number; readonly path: string };

/** What was wrong. */
export interface ProbeFailure {
  /** For a person. */
  readonly message: string;
  /** Whether something took the connection: then the app listens where it should, and its answer is what is wrong. */
  readonly reached: boolean;
}

/** Runs one check within `timeoutMs`; a check that fails is a value. */
export type Probe = (
  target: ProbeTarget,
  limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
) => Promise<ProbeFailure | undefined>;

/**
 * Of the machine itself, but not the address that `localhost` is: a program that listens on 127.0.0.1 only does not
 * answer here, nor would it for the health check of a cell, which comes from outside of the container.
 */
export const OUTSIDE = '127.0.0.2';
const LOCALHOST = '127.0.0.1';
/** `localhost` is the second one too, and the first that many programs take. */
const LOCAL = [LOCALHOST, '::1'];
export const NOTHING_LISTENS = 'connection refused, nothing listens there';
/** Names us in the app's access log. */
export const USER_AGENT = 'stager-healthcheck';

/** `port 8080`, `GET /health on port 8080` */
export function describeTarget(target: ProbeTarget): string {
  return target.type === 'port' ? `port ${target.port}` : `GET ${target.path} on port ${target.port}`;
}

/** What is told to who listens where no cell comes from. An address of IPv6 stands for all: a cell comes by IPv4. */
export function localOnly(address: string): string {
  const where = address.includes(':') ? `IPv6 (${address}) only` : `${address} only`;
  return `it listens on ${where}, where a cell can't reach it: listen on 0.0.0.0`;
}

/** Checks on the loopback interface of the host. */
export const hostProbe: Probe = (target, limits) => probeAt(OUTSIDE, target, limits);

/** Checks where a run's network publishes its port, which takes connections whether anybody listens inside or not. */
export function publishedProbe(network: Pick<OwnNetwork, 'listeners'>): Probe {
  return async (target, limits) => {
    const addresses = await network.listeners(target.port);
    const [first] = addresses;
    const local = addresses.every((it) => it.includes(':') || it.startsWith('127.'));
    if (first !== undefined && !local) return await probeAt(LOCALHOST, target, limits);
    const why = first === undefined ? NOTHING_LISTENS : localOnly(first);
    return { message: `${describeTarget(target)}: ${why}`, reached: false };
  };
}

async function probeAt(
  host: string,
  target: ProbeTarget,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<ProbeFailure | undefined> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([deadline, signal]);
  const failed = (what: string, reached: boolean): ProbeFailure => ({
    message: `${describeTarget(target)}: ${what}`,
    reached,
  });
  try {
    if (target.type === 'port') {
      await tcp(host, target.port, either);
      return undefined;
    }
    const status = await http({ ...target, host }, either);
    return status === 200 ? undefined : failed(`status ${status}, 200 was expected`, true);
  } catch (error) {
    // On this machine a connection is refused at once, so what takes so long was taken.
    if (deadline.aborted) return failed(`no answer within ${timeoutMs} ms`, true);
    if (errnoOf(error) !== 'ECONNREFUSED')
      return failed(error instanceof Error ? error.message : String(error), true);
    for (const address of LOCAL) {
      if (await listens(address, target.port, either)) return failed(localOnly(address), false);
    }
    return failed(NOTHING_LISTENS, false);
  }
}

async function listens(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return await tcp(host, port, signal).then(
    () => true,
    () => false,
  );
}

async function tcp(host: string, port: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host, port, signal }, () => resolve());
  socket.once('error', reject);
  try {
    await promise;
  } finally {
    socket.destroy();
  }
}

/** The status: only 200 passes, not even a redirect. The body is not read. */
async function http(
  target: { readonly host: string; readonly port: number; readonly path: string },
  signal: AbortSignal,
): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const request = get(
    {
      host: target.host,
      port: target.port,
      path: target.path,
      headers: {
        host: `${LOCALHOST}:${target.port}`,
        'user-agent': USER_AGENT,
        'x-forwarded-proto': 'https',
        connection: 'close',
      },
      agent: false,
      signal,
    },
    (response) => {
      response.on('error', () => undefined);
      resolve(response.statusCode);
    },
  );
  // Nobody else handles a late error of a socket that has already answered.
  request.on('error', reject);
  try {
    return await promise;
  } finally {
    request.destroy();
  }
}
