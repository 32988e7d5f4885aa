/**
 * A proxy on loopback for a program of ours that has no filter, such as git: whatever it asks for goes through the filter
 * of our own downloads, and through the operator's proxy where there is one. Only who knows its password may use it.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { agentsFor, type Reach } from '../proxy/agents.ts';
import { trustedAuthorities } from '../proxy/authorities.ts';
import { dialThrough } from '../proxy/dial.ts';
import { proxyFor } from '../proxy/proxy-settings.ts';
import type { HostPort } from './allowed.ts';
import { DestinationRefused, DownloadFilter } from './download-filter.ts';
import type { EgressWish } from './wish.ts';

type Unfiltered = Omit<Reach, 'dial' | 'beforeProxy'>;

/** Milliseconds to make a connection. */
const CONNECT_MS = 60_000;
const ENDS = 'Connection: close\r\nContent-Length: 0\r\n\r\n';

/** How a server downloads what its users name. `named`: places of the operator beside those of the rules. */
export function ruledDownloads(
  reach: Unfiltered,
  { policies: { staging } }: EgressWish,
  named: readonly HostPort[] = [],
) {
  const filter = new DownloadFilter({ ...staging, allowed: [...staging.allowed, ...named] });
  const { dial, beforeProxy } = filter;
  return { reach: { dial, beforeProxy }, git: { filter: () => FilteringProxy.open(filter, reach) } };
}

/** See the top of the file. */
export class FilteringProxy {
  /** One sentence for each destination that was refused. */
  readonly refused = new Set<string>();
  readonly #filter: DownloadFilter;
  readonly #reach: Unfiltered;
  readonly #agents: ReturnType<typeof agentsFor>;
  readonly #server = createServer((incoming, outgoing) => this.#forward(incoming, outgoing));
  readonly #sockets = new Set<Duplex>();
  readonly #password = randomBytes(24).toString('base64url');

  private constructor(filter: DownloadFilter, reach: Unfiltered) {
    this.#filter = filter;
    this.#reach = reach;
    this.#agents = agentsFor({ ...reach, dial: filter.dial, beforeProxy: filter.beforeProxy });
    this.#server.on(
      'connect',
      (incoming: IncomingMessage, client: Duplex) => void this.#tunnel(incoming, client),
    );
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  static async open(filter: DownloadFilter, reach: Unfiltered): Promise<FilteringProxy> {
    const proxy = new FilteringProxy(filter, reach);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** With its password. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the filtering proxy has no port');
    return `http://stager:${this.#password}@127.0.0.1:${address.port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  #knows({ headers }: IncomingMessage): boolean {
    const wanted = Buffer.from(`stager:${this.#password}`).toString('base64');
    return headers['proxy-authorization'] === `Basic ${wanted}`;
  }

  /** The status for a client whose request failed. */
  #failed(error: unknown): 403 | 502 {
    if (!(error instanceof DestinationRefused)) return 502;
    this.refused.add(error.message);
    return 403;
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const to = URL.parse(incoming.url ?? '');
    if (to?.protocol !== 'http:' || !this.#knows(incoming)) {
      outgoing.writeHead(407, { 'proxy-authenticate': 'Basic realm="stager"' }).end();
      return;
    }
    const { 'proxy-authorization': _ours, 'proxy-connection': _hop, ...headers } = incoming.headers;
    const asked = { method: incoming.method, headers, agent: this.#agents.http };
    const onward = request(to, asked, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.once('error', (error) => {
      if (!outgoing.headersSent) outgoing.writeHead(this.#failed(error));
      outgoing.end();
    });
    outgoing.once('close', () => onward.destroy());
    incoming.pipe(onward);
  }

  async #tunnel(incoming: IncomingMessage, client: Duplex): Promise<void> {
    client.on('error', () => client.destroy());
    const to = URL.parse(`https://${incoming.url ?? ''}`);
    if (to === null || !this.#knows(incoming)) {
      // git asks once without the password, and then again.
      client.end(`HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm="stager"\r\n${ENDS}`);
      return;
    }
    try {
      const server = await this.#connect(to);
      server.on('error', () => client.destroy());
      server.once('close', () => client.destroy());
      client.once('close', () => server.destroy());
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      client.pipe(server).pipe(client);
    } catch (error) {
      client.end(`HTTP/1.1 ${this.#failed(error)} Not Connected\r\n${ENDS}`);
    }
  }

  async #connect({ hostname, port }: URL): Promise<Duplex> {
    const target = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 443) };
    const { dial, beforeProxy } = this.#filter;
    const signal = AbortSignal.timeout(CONNECT_MS);
    const proxy = proxyFor(
      { scheme: 'https', host: target.host, port: String(target.port) },
      this.#reach.proxy,
    );
    if (proxy === undefined) return await dial(target, signal);
    beforeProxy(target.host);
    const tls = () => ({ ca: [...trustedAuthorities(this.#reach.extraCa)] });
    return await dialThrough(proxy, target, { tls, signal, dial });
  }
}
