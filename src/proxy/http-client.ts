/** The HTTP client of our own downloads: proxies, extra certificate authorities, basic credentials. */
import { rootCertificates } from 'node:tls';
import got, { type Got } from 'got';
import { HttpProxyAgent, HttpsProxyAgent } from 'hpagent';
import { type ProxySettings, proxyFor } from './settings.ts';

/** What the client is made of. */
export interface HttpClientOptions {
  readonly proxy: ProxySettings;
  /** Certificates in PEM, beside the built-in ones. */
  readonly extraCa: readonly string[];
}

/** Time limits of one request in milliseconds; a body may take as long as bytes keep coming. */
const TIMEOUTS = { lookup: 20_000, connect: 20_000, secureConnect: 20_000, response: 60_000, socket: 60_000 };

/** A client that asks again only when its caller does, and chooses the proxy anew after a redirect. */
export function httpClient(options: HttpClientOptions): Got {
  const ca = options.extraCa.length === 0 ? undefined : [...rootCertificates, ...options.extraCa];
  const agents = (url: URL) => agentsFor(proxyFor(url, options.proxy), ca);
  return got.extend({
    retry: { limit: 0 },
    timeout: TIMEOUTS,
    decompress: false,
    maxRedirects: 10,
    ...(ca !== undefined && { https: { certificateAuthority: ca } }),
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

function agentsFor(proxy: string | undefined, ca: readonly string[] | undefined) {
  if (proxy === undefined) return {};
  const tls = ca === undefined ? {} : { ca: [...ca] };
  const shared = { proxy, keepAlive: false, proxyRequestOptions: tls };
  return { http: new HttpProxyAgent(shared), https: new HttpsProxyAgent({ ...shared, ...tls }) };
}
