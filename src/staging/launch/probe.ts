/** One health check from the host: a TCP connect or an HTTP GET (staging-internals.md 7.5). */
import { get } from 'node:http';
import { connect } from 'node:net';
import { errnoOf } from '../../words/errors.ts';

/** What to check. */
export type ProbeTarget =
  | { readonly type: 'port'; readonly port: number }
  | { readonly type: 'http'; readonly port: number; readonly path: string };

/** `undefined`: passed. Otherwise what was wrong, for a person. */
export type ProbeFailure = string | undefined;

/** Runs one check within `timeoutMs`; a check that fails is a value. */
export type Probe = (
  target: ProbeTarget,
  limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
) => Promise<ProbeFailure>;

/**
 * Of the machine itself, but not the address that `localhost` is: a program that listens on 127.0.0.1 only does not
 * answer here, nor would it for the health check of a cell, which comes from outside of the container.
 */
export const OUTSIDE = '127.0.0.2';
const LOCALHOST = '127.0.0.1';
export const LOCALHOST_ONLY = 'it listens on 127.0.0.1 only, where no cell reaches it: listen on 0.0.0.0';
/** Names us in the app's access log. */
export const USER_AGENT = 'stager-healthcheck';

/** `port 8080`, `GET /health on port 8080` */
export function describeTarget(target: ProbeTarget): string {
  return target.type === 'port' ? `port ${target.port}` : `GET ${target.path} on port ${target.port}`;
}

/** Checks on the loopback interface of the host. */
export const hostProbe: Probe = async (target, { timeoutMs, signal }) => {
  const where = describeTarget(target);
  const deadline = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([deadline, signal]);
  try {
    const failure = await (target.type === 'port' ? tcp(OUTSIDE, target.port, either) : http(target, either));
    return failure === undefined ? undefined : `${where}: ${failure}`;
  } catch (error) {
    if (deadline.aborted) return `${where}: no answer within ${timeoutMs} ms`;
    if (errnoOf(error) === 'ECONNREFUSED') {
      const local = await tcp(LOCALHOST, target.port, either).then(
        () => true,
        () => false,
      );
      return `${where}: ${local ? LOCALHOST_ONLY : 'connection refused, nothing listens there'}`;
    }
    return `${where}: ${error instanceof Error ? error.message : String(error)}`;
  }
};

async function tcp(host: string, port: number, signal: AbortSignal): Promise<ProbeFailure> {
  const { promise, resolve, reject } = Promise.withResolvers<ProbeFailure>();
  const socket = connect({ host, port, signal }, () => resolve(undefined));
  socket.once('error', reject);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

/** Only status 200 passes, not even a redirect; the body is not read. */
async function http(
  target: { readonly port: number; readonly path: string },
  signal: AbortSignal,
): Promise<ProbeFailure> {
  const { promise, resolve, reject } = Promise.withResolvers<ProbeFailure>();
  const request = get(
    {
      host: OUTSIDE,
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
      resolve(response.statusCode === 200 ? undefined : `status ${response.statusCode}, 200 was expected`);
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
