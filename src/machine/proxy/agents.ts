/** Agents that choose for each new connection: direct, or through the proxy that is set for its host. */
import { type AgentOptions, type ClientRequestArgs, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { HttpProxyAgent, HttpsProxyAgent } from 'hpagent';
import { errnoOf } from '../../words/errors.ts';
import { trustedAuthorities } from './authorities.ts';
import { type ProxySettings, proxyFor } from './settings.ts';

/** How to reach others. */
export interface Reach {
  readonly proxy: ProxySettings;
  /** Certificates in PEM, beside those that {@link trustedAuthorities} finds. */
  readonly extraCa: readonly string[];
}

/** `code` of the error of a connection that its proxy did not make; the message says which proxy, without secrets. */
export const PROXY_REFUSED = 'ERR_PROXY_REFUSED';

type Connected = (error: Error | null, stream: Duplex) => void;

/** One agent a scheme. `options` are Node's, for both. */
export function agentsFor(
  { proxy: settings, extraCa }: Reach,
  options: AgentOptions = {},
): { readonly http: HttpAgent; readonly https: HttpsAgent } {
  let trusted: string[] | undefined;
  const tls = (): { ca: string[] } => {
    trusted ??= [...trustedAuthorities(extraCa)];
    return { ca: trusted };
  };
  const keepAlive = options.keepAlive === true;
  const through = (proxy: string) => ({
    proxy,
    keepAlive,
    proxyRequestOptions: proxy.startsWith('https:') ? tls() : {},
  });

  class ChoosingHttpAgent extends HttpAgent {
    override createConnection(to: ClientRequestArgs, connected?: Connected): Duplex | null | undefined {
      const proxy = proxyFor(urlOf('http', to), settings);
      if (proxy === undefined) return super.createConnection(to, connected);
      return new HttpProxyAgent(through(proxy)).createConnection(to, named(proxy, connected));
    }
  }
  class ChoosingHttpsAgent extends HttpsAgent {
    override createConnection(to: ClientRequestArgs, connected?: Connected): Duplex | null | undefined {
      const proxy = proxyFor(urlOf('https', to), settings);
      const trusting = { ...to, ...tls() };
      if (proxy === undefined) return super.createConnection(trusting, connected);
      return new HttpsProxyAgent(through(proxy)).createConnection(trusting, named(proxy, connected));
    }
  }
  return { http: new ChoosingHttpAgent(options), https: new ChoosingHttpsAgent(options) };
}

function urlOf(scheme: 'http' | 'https', { host, port }: ClientRequestArgs): URL {
  const name = host ?? 'localhost';
  return new URL(`${scheme}://${name.includes(':') ? `[${name}]` : name}:${port ?? ''}`);
}

/** Tells failures of the proxy from those of the host behind it. */
function named(proxy: string, connected: Connected | undefined): Connected {
  return (error, stream) => {
    if (error === null) return connected?.(error, stream);
    const failure = new Error(`the proxy ${new URL(proxy).host}: ${errnoOf(error) ?? error.message}`, {
      cause: error,
    });
    connected?.(Object.assign(failure, { code: PROXY_REFUSED }), stream);
  };
}
