/** Agents that choose for each new connection: direct, or through the proxy that is set for its host. */
import { type AgentOptions, type ClientRequest, type ClientRequestArgs, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Duplex } from 'node:stream';
import type { ProxySettings } from '../../config/proxy.ts';
import { trustedAuthorities } from './authorities.ts';
import {
  type Dial,
  type Dialing,
  dialProxy,
  dialThrough,
  endpointText,
  ProxyFailure,
  type ProxyTls,
  proxyAuthorization,
} from './dial.ts';
import { checkProxies, proxyFor } from './proxy-settings.ts';
import type { ProxyServer, ProxyTarget } from './rules.ts';
import type { Endpoint } from './socks.ts';

/** How to reach others. */
export interface Reach {
  readonly proxy: ProxySettings;
  /** Certificates in PEM, beside those that {@link trustedAuthorities} finds. */
  readonly extraCa: readonly string[];
  /** Makes every connection, those to proxies included; the system's way by default. */
  readonly dial?: Dial;
  /** Looks at what is asked of a proxy. @throws what the request fails with. */
  readonly beforeProxy?: (host: string) => void;
}

/** `code` of the error of a connection that its proxy did not make; the message says which proxy, without secrets. */
export const PROXY_REFUSED = 'ERR_PROXY_REFUSED';

/** Longest wait for a proxy to make a connection. */
const DIAL_MS = 60_000;

type Connected = (error: Error | null, stream: Duplex) => void;

/** One agent a scheme. `options` are Node's, for both. @throws StagerError CONFIG_INVALID for a bad proxy. */
export function agentsFor(
  { proxy: settings, extraCa, dial, beforeProxy }: Reach,
  options: AgentOptions = {},
): { readonly http: HttpAgent; readonly https: HttpsAgent } {
  checkProxies(settings);
  let trusted: string[] | undefined;
  const tls = (): ProxyTls => {
    trusted ??= [...trustedAuthorities(extraCa)];
    return { ca: trusted };
  };
  const choose: Choice['choose'] = (target) => {
    const proxy = proxyFor(target, settings);
    if (proxy !== undefined) beforeProxy?.(target.host);
    return proxy;
  };
  const choice: Choice = { tls, choose, signal: undefined, ...(dial !== undefined && { dial }) };
  return { http: new ProxyHttpAgent(choice, options), https: new ProxyHttpsAgent(choice, options) };
}

/** How an agent connects. */
export interface Choice {
  /** The proxy for a request. */
  readonly choose: (target: ProxyTarget) => ProxyServer | undefined;
  /** For whom is spoken to over TLS, proxies and hosts behind them. */
  readonly tls: () => ProxyTls;
  /** Ends the making of a connection; a limit of time by default. */
  readonly signal: AbortSignal | undefined;
  /** Reaches hosts and proxies; the system's way by default. */
  readonly dial?: Dial;
}

declare module 'http' {
  interface Agent {
    /** Takes a request over; every agent has it, and Node's types leave it out. */
    addRequest(request: ClientRequest, options: ClientRequestArgs): void;
  }
}

/** For `http:`. A proxy of HTTP is asked for the whole address, a SOCKS proxy for a connection. */
export class ProxyHttpAgent extends HttpAgent {
  readonly #choice: Choice;

  constructor(choice: Choice, options: AgentOptions = {}) {
    super(options);
    this.#choice = choice;
  }

  override addRequest(request: ClientRequest, options: ClientRequestArgs): void {
    const proxy = chosen(this.#choice, 'http', options);
    if (proxy !== undefined && !(proxy instanceof Error) && isHttpProxy(proxy)) {
      const authorization = proxyAuthorization(proxy);
      const host = request.getHeader('host') ?? endpointText(endpointOf('http', options));
      // The request line is written later, when the connection is there.
      request.path = `http://${host}${request.path}`;
      if (authorization !== undefined) request.setHeader('proxy-authorization', authorization);
    }
    super.addRequest(request, options);
  }

  override createConnection(to: ClientRequestArgs, connected?: Connected): Duplex | null | undefined {
    const proxy = chosen(this.#choice, 'http', to);
    const { dial } = this.#choice;
    if (proxy === undefined && dial === undefined) return super.createConnection(to, connected);
    hand(connected, async () => {
      const dialing = dialingOf(this.#choice);
      const target = endpointOf('http', to);
      if (proxy === undefined) return await dialed(dial, target, dialing.signal);
      if (proxy instanceof Error) throw proxy;
      return await (isHttpProxy(proxy) ? dialProxy(proxy, dialing) : dialThrough(proxy, target, dialing));
    });
    return undefined;
  }
}

/** For `https:`, always through a connection of its own. */
export class ProxyHttpsAgent extends HttpsAgent {
  readonly #choice: Choice;

  constructor(choice: Choice, options: AgentOptions = {}) {
    super(options);
    this.#choice = choice;
  }

  override createConnection(to: ClientRequestArgs, connected?: Connected): Duplex | null | undefined {
    const proxy = chosen(this.#choice, 'https', to);
    const trusting = { ...to, ...this.#choice.tls() };
    const { dial } = this.#choice;
    if (proxy === undefined && dial === undefined) return super.createConnection(trusting, connected);
    hand(connected, async () => {
      if (proxy instanceof Error) throw proxy;
      const dialing = dialingOf(this.#choice);
      const target = endpointOf('https', to);
      const socket = await (proxy === undefined
        ? dialed(dial, target, dialing.signal)
        : dialThrough(proxy, target, dialing));
      const secured = super.createConnection(Object.assign(trusting, { socket }), undefined);
      if (secured === null || secured === undefined) throw new Error('no connection was made');
      return secured;
    });
    return undefined;
  }
}

function dialed(dial: Dial | undefined, target: Endpoint, signal: AbortSignal): Promise<Duplex> {
  return dial === undefined ? Promise.reject(new Error('there is no way to connect')) : dial(target, signal);
}

function isHttpProxy({ scheme }: ProxyServer): boolean {
  return !scheme.startsWith('socks');
}

function chosen(
  { choose }: Choice,
  scheme: 'http' | 'https',
  to: ClientRequestArgs,
): ProxyServer | Error | undefined {
  const { host, port } = endpointOf(scheme, to);
  try {
    return choose({ scheme, host, port: String(port) });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function endpointOf(scheme: 'http' | 'https', { host, port }: ClientRequestArgs): Endpoint {
  return { host: host ?? 'localhost', port: Number(port ?? (scheme === 'https' ? 443 : 80)) };
}

function dialingOf({ tls, signal, dial }: Choice): Dialing {
  return { tls, signal: signal ?? AbortSignal.timeout(DIAL_MS), ...(dial !== undefined && { dial }) };
}

/** Tells failures of the proxy from those of the host behind it. */
function hand(connected: Connected | undefined, connect: () => Promise<Duplex>): void {
  connect().then(
    (stream) => connected?.(null, stream),
    (error: unknown) => {
      const failure = error instanceof Error ? error : new Error(String(error));
      connected?.(
        failure instanceof ProxyFailure ? Object.assign(failure, { code: PROXY_REFUSED }) : failure,
        new Duplex(),
      );
    },
  );
}
