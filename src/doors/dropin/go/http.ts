/** HTTP as Go's default client does it: proxies from the environment, ten redirects, failures in Go's words. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { errnoOf } from '../../../words/errors.ts';
import { errnoText } from './errno.ts';
import type { Endpoint } from './socks.ts';
import { quote } from './text.ts';
import { formatUrl, type GoUrl, parseUrl } from './url.ts';

/** A request. */
export interface HttpCall {
  readonly method: 'GET' | 'POST';
  readonly url: GoUrl;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Proxy variables are read from here. */
  readonly env: Readonly<Record<string, string>>;
  readonly tls: Pick<AgentOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized'>;
  /** Connects instead of the system, for https. */
  readonly dial?: (target: Endpoint, signal: AbortSignal) => Promise<Socket>;
  /** Ends the call and the reading of its body. */
  readonly signal: AbortSignal;
  /** Longest silence of the connection. */
  readonly idleMs: number;
}

const MAX_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** The response, its body unread. @throws Error `Get "https://…": dial tcp …` */
export async function call(first: HttpCall): Promise<IncomingMessage> {
  let current = first;
  for (let redirects = 0; ; redirects++) {
    const shown = formatUrl(current.url, { password: '***' });
    const verb = current.method === 'GET' ? 'Get' : 'Post';
    try {
      const response = await send(current);
      const { location } = response.headers;
      if (!REDIRECTS.has(response.statusCode ?? 0) || location === undefined) return response;
      response.resume();
      if (redirects === MAX_REDIRECTS) throw new Error(`stopped after ${MAX_REDIRECTS} redirects`);
      current = redirected(current, response.statusCode ?? 0, location);
    } catch (error) {
      throw new Error(`${verb} ${quote(shown)}: ${reasonOf(error, current)}`, { cause: error });
    }
  }
}

function redirected(from: HttpCall, status: number, location: string): HttpCall {
  const target = parseUrl(new URL(location, formatUrl(from.url)).href);
  if (!target.ok) throw new Error(target.message);
  if (status === 307 || status === 308) return { ...from, url: target.url };
  const { body: _, ...rest } = from;
  return { ...rest, method: 'GET', url: target.url };
}

function send(from: HttpCall): Promise<IncomingMessage> {
  const { url, env } = from;
  const secure = url.scheme === 'https';
  if (!secure && url.scheme !== 'http') {
    return Promise.reject(new Error(`unsupported protocol scheme ${quote(url.scheme)}`));
  }
  if (url.host === '') return Promise.reject(new Error('http: no Host in request URL'));
  const target = new URL(formatUrl({ ...url, user: undefined, fragment: '' }));
  const proxyEnv = isLoopback(target.hostname) ? {} : proxies(env);
  const options = {
    method: from.method,
    signal: from.signal,
    timeout: from.idleMs,
    headers: {
      'user-agent': 'stager',
      ...from.headers,
      ...(from.body !== undefined && { 'content-length': String(Buffer.byteLength(from.body)) }),
    },
    ...(url.user !== undefined && { auth: `${url.user.name}:${url.user.password ?? ''}` }),
  };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = secure
    ? httpsRequest(target, { ...options, agent: httpsAgent(from, proxyEnv) })
    : httpRequest(target, { ...options, agent: new HttpAgent({ proxyEnv }) });
  request.once('response', resolve);
  request.once('error', reject);
  request.once('timeout', () => request.destroy(new Error('i/o timeout')));
  request.end(from.body);
  return promise;
}

function httpsAgent({ tls, dial, signal }: HttpCall, proxyEnv: Record<string, string>): HttpsAgent {
  if (dial === undefined) return new HttpsAgent({ ...tls, minVersion: 'TLSv1.2', proxyEnv });
  const agent = new HttpsAgent({ ...tls, minVersion: 'TLSv1.2' });
  agent.createConnection = (options, connected) => {
    const host = options.host ?? '';
    const secured = {
      ...tls,
      minVersion: 'TLSv1.2',
      host,
      ...(isIP(host) === 0 && { servername: host }),
    } as const;
    dial({ host, port: Number(options.port ?? 443) }, signal).then(
      (socket) => connected?.(null, connectTls({ ...secured, socket })),
      (error: unknown) =>
        connected?.(error instanceof Error ? error : new Error(String(error)), new Duplex()),
    );
    return undefined;
  };
  return agent;
}

const PROXY_VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];

function proxies(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    PROXY_VARIABLES.flatMap((name): [string, string][] => {
      const value = env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Go never asks a proxy for these. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

const UNKNOWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Why a request failed, in Go's words as far as Node tells the cases apart. */
function reasonOf(error: unknown, from: HttpCall): string {
  const code = errnoOf(error) ?? '';
  const name = from.url.host.replace(/:\d*$/, '');
  if (from.signal.aborted)
    return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
  if (UNKNOWN_AUTHORITY.has(code)) {
    return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `dial tcp: lookup ${name}: no such host`;
  if (code === 'ECONNRESET') return 'EOF';
  if (error instanceof Error && 'syscall' in error && error.syscall === 'connect') {
    return `dial tcp ${addressOf(error)}: connect: ${errnoText(error)}`;
  }
  return error instanceof Error ? error.message : String(error);
}

function addressOf(error: Error): string {
  const address = 'address' in error ? String(error.address) : '';
  const port = 'port' in error ? String(error.port) : '';
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
