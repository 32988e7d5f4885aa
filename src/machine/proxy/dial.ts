/** Connections to a proxy, and through it: CONNECT for http and https proxies, SOCKS5 for the others. */
import { once } from 'node:events';
import { request } from 'node:http';
import type { AgentOptions } from 'node:https';
import { connect, isIP, isIPv6, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ProxyServer } from './rules.ts';
import { type Endpoint, throughSocks } from './socks.ts';

/** How whoever is spoken to over TLS is known, and who we are. */
export type ProxyTls = Pick<AgentOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'minVersion'>;

/** Makes a connection in the system's place. */
export type Dial = (target: Endpoint, signal: AbortSignal) => Promise<Socket>;

/** For one connection. */
export interface Dialing {
  readonly tls: () => ProxyTls;
  readonly signal: AbortSignal;
  /** How the proxy is reached; the system's way by default. */
  readonly dial?: Dial;
}

/** A proxy that made no connection. The cause says why; the message names the proxy, never its password. */
export class ProxyFailure extends Error {
  readonly proxy: Endpoint;
  /** Whether it was not reached, refused by SOCKS, or refused a CONNECT. */
  readonly stage: 'dial' | 'socks' | 'connect';

  constructor({ host, port }: ProxyServer, stage: ProxyFailure['stage'], cause: unknown) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
    const reason = code ?? (cause instanceof Error ? cause.message : String(cause));
    const status = cause instanceof RefusedConnect ? `${cause.status} ` : '';
    super(`the proxy ${endpointText({ host, port })}: ${status}${reason}`, { cause });
    this.proxy = { host, port };
    this.stage = stage;
  }
}

/** What a proxy of HTTP answered instead of connecting; the message is its text. */
class RefusedConnect extends Error {
  readonly status: number;
  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

/** `host:port`, with brackets where the host needs them. */
export function endpointText({ host, port }: Endpoint): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Value of Proxy-Authorization; undefined for a proxy that does not ask who we are. */
export function proxyAuthorization({ user }: ProxyServer): string | undefined {
  if (user === undefined) return undefined;
  return `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`;
}

/** A connection to the proxy itself. @throws ProxyFailure */
export async function dialProxy(
  proxy: ProxyServer,
  { tls, signal, dial = dialSystem }: Dialing,
): Promise<Socket> {
  const { host, port } = proxy;
  let socket: Socket | undefined;
  try {
    socket = await dial({ host, port }, signal);
    if (proxy.scheme !== 'https') return socket;
    const secured = connectTls({ ...tls(), socket, host, ...(isIP(host) === 0 && { servername: host }) });
    await once(secured, 'secureConnect', { signal });
    return secured;
  } catch (error) {
    socket?.destroy();
    throw new ProxyFailure(proxy, 'dial', error);
  }
}

async function dialSystem(target: Endpoint, signal: AbortSignal): Promise<Socket> {
  const socket = connect(target);
  try {
    await once(socket, 'connect', { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** A connection to `target` through the proxy. @throws ProxyFailure */
export async function dialThrough(proxy: ProxyServer, target: Endpoint, dialing: Dialing): Promise<Socket> {
  const socket = await dialProxy(proxy, dialing);
  const isSocks = proxy.scheme.startsWith('socks');
  try {
    const { signal } = dialing;
    if (isSocks) await throughSocks(socket, proxy, { target, signal });
    else await throughConnect(socket, proxy, { target, signal });
    return socket;
  } catch (error) {
    socket.destroy();
    throw new ProxyFailure(proxy, isSocks ? 'socks' : 'connect', error);
  }
}

async function throughConnect(
  socket: Socket,
  proxy: ProxyServer,
  to: { readonly target: Endpoint; readonly signal: AbortSignal },
): Promise<void> {
  const host = endpointText(to.target);
  const authorization = proxyAuthorization(proxy);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const asking = request({
    method: 'CONNECT',
    path: host,
    createConnection: () => socket,
    signal: to.signal,
    headers: { host, ...(authorization !== undefined && { 'proxy-authorization': authorization }) },
  });
  asking.once('error', reject);
  asking.once('connect', ({ statusCode = 0, statusMessage = '' }) => {
    if (statusCode === 200) resolve();
    else reject(new RefusedConnect(statusCode, statusMessage));
  });
  asking.end();
  await promise;
}
