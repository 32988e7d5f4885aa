/** The HTTP client of our own downloads: proxies, extra certificate authorities, basic credentials. */
import { Agent } from 'node:https';
import got, { type Got } from 'got';
import { HttpProxyAgent, HttpsProxyAgent } from 'hpagent';
import { trustedAuthorities } from './authorities.ts';
import { type ProxySettings, proxyFor } from './settings.ts';

/** What the client is made of. */
export interface HttpClientOptions {
  readonly proxy: ProxySettings;
  /** Certificates in PEM, beside those that {@link trustedAuthorities} finds. */
  readonly extraCa: readonly string[];
}

/** Time limits of one request in milliseconds; a body may take as long as bytes keep coming. */
const TIMEOUTS = { lookup: 20_000, connect: 20_000, secureConnect: 20_000, response: 60_000, socket: 60_000 };

/** A client that asks again only when its caller does, and chooses the proxy anew after a redirect. */
export function httpClient(options: HttpClientOptions): Got {
  const agents = agentsBy(options);
  return got.extend({
    retry: { limit: 0 },
    timeout: TIMEOUTS,
    decompress: false,
    maxRedirects: 10,
    hooks: {
      beforeRequest: [
        (request) => {
          if (request.url instanceof URL) request.agent = agents(request.url);
        },
      ],
      beforeRedirect: [
        (request) => {
          if (request.url instanceof URL) request.agent = agents(request.url);
        },
      ],
    },
  });
}

function agentsBy({ proxy: settings, extraCa }: HttpClientOptions) {
  let trusted: string[] | undefined;
  return (url: URL) => {
    const proxy = proxyFor(url, settings);
    const isEncrypted = url.protocol === 'https:' || proxy?.startsWith('https:') === true;
    if (!isEncrypted && proxy === undefined) return {};
    if (isEncrypted) trusted ??= [...trustedAuthorities(extraCa)];
    const tls = trusted === undefined ? {} : { ca: trusted };
    if (proxy === undefined) return { https: new Agent(tls) };
    const shared = { proxy, keepAlive: false, proxyRequestOptions: tls };
    return { http: new HttpProxyAgent(shared), https: new HttpsProxyAgent({ ...shared, ...tls }) };
  };
}
