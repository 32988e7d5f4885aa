/** The HTTP client of our own downloads: proxies, extra certificate authorities, basic credentials. */
import got, { type Got } from 'got';
import { agentsFor, type Reach } from './agents.ts';

/** Time limits of one request in milliseconds; a body may take as long as bytes keep coming. */
const TIMEOUTS = { lookup: 20_000, connect: 20_000, secureConnect: 20_000, response: 60_000, socket: 60_000 };

/** A client that asks again only when its caller does, and chooses the proxy again after a redirect. */
export function httpClient(reach: Reach): Got {
  return got.extend({
    agent: agentsFor(reach),
    retry: { limit: 0 },
    timeout: TIMEOUTS,
    decompress: false,
    maxRedirects: 10,
  });
}
