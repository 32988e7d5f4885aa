/** HTTP as Go's default client does it: proxies from the environment, ten redirects, failures in Go's words. */
import { lookup as systemLookup } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { type AgentOptions, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { domainToASCII } from 'node:url';
import { createGunzip } from 'node:zlib';
import { proxySettings } from '../../../config/proxy.ts';
import { type Choice, ProxyHttpAgent, ProxyHttpsAgent } from '../../../machine/proxy/agents.ts';
import { type ProxyServer, splitHost, wayTo } from '../../../machine/proxy/rules.ts';
import type { Endpoint } from '../../../machine/proxy/socks.ts';
import { quote } from '../../../words/go-quote.ts';
import { formatUrl, type GoUrl, parseUrl, requestUri, resolveReference } from '../../../words/go-url.ts';
import { reasonOf } from './http-failures.ts';

/** A request. */
export interface HttpCall {
  readonly method: 'GET' | 'POST';
  readonly url: GoUrl;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Proxy variables are read from here. */
  readonly env: Readonly<Record<string, string>>;
  readonly tls: Pick<AgentOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized'>;
  /** Connects instead of the system, to the host or to its proxy. */
  readonly dial?: (target: Endpoint, signal: AbortSignal) => Promise<Socket>;
  /** Ends the call and the reading of its body. */
  readonly signal: AbortSignal;
  /** Longest silence of the connection. */
  readonly idleMs: number;
}

/** An answer, its body unread. Where the server packed the body, it is unpacked, as Go does it. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: Readable;
}

const MAX_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** The answer, after redirects. @throws Error `Get "https://…": dial tcp …` */
export async function call(first: HttpCall): Promise<HttpAnswer> {
  let current = first;
  for (let redirects = 0; ; redirects++) {
    const shown = formatUrl(current.url, { password: '***' });
    const verb = current.method === 'GET' ? 'Get' : 'Post';
    try {
      const response = await send(current);
      const status = response.statusCode ?? 0;
      const location = response.headers.location ?? '';
      if (!REDIRECTS.has(status) || location === '') return { status, body: bodyOf(response) };
      response.resume();
      if (redirects === MAX_REDIRECTS) throw new Error(`stopped after ${MAX_REDIRECTS} redirects`);
      current = redirected(current, status, location);
    } catch (error) {
      throw new Error(`${verb} ${quote(shown)}: ${reasonOf(error, current)}`, { cause: error });
    }
  }
}

function bodyOf(response: IncomingMessage): Readable {
  if (response.headers['content-encoding']?.toLowerCase() !== 'gzip') return response;
  const unpacked = createGunzip();
  response.once('error', (error) => unpacked.destroy(error));
  return response.pipe(unpacked);
}

function redirected(from: HttpCall, status: number, location: string): HttpCall {
  // Headers are bytes; Node hands them over as Latin-1.
  const text = Buffer.from(location, 'latin1').toString('utf8');
  const target = parseUrl(text);
  if (!target.ok) throw new Error(`failed to parse Location header ${quote(text)}: ${target.message}`);
  const url = resolveReference(from.url, target.url);
  if (status === 307 || status === 308) return { ...from, url };
  const { body: _, ...rest } = from;
  return { ...rest, method: 'GET', url };
}

async function send(from: HttpCall): Promise<IncomingMessage> {
  const { url } = from;
  const { scheme } = url;
  if (scheme !== 'https' && scheme !== 'http') {
    throw new Error(`unsupported protocol scheme ${quote(scheme)}`);
  }
  if (url.host === '') throw new Error('http: no Host in request URL');
  const split = splitHost(url.host);
  const host = asciiHost(split.host);
  const choice = choiceFor(from, wayOf(from, { scheme, host, port: split.port }));
  const options = {
    method: from.method,
    host,
    port: split.port === '' ? (scheme === 'https' ? '443' : '80') : split.port,
    lookup,
    signal: from.signal,
    timeout: from.idleMs,
    headers: headersOf(from, host, split.port),
  };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request =
    scheme === 'https'
      ? httpsRequest({ ...options, path: wirePath(url), agent: new ProxyHttpsAgent(choice) })
      : httpRequest({ ...options, path: wirePath(url), agent: new ProxyHttpAgent(choice) });
  request.once('response', resolve);
  request.once('error', reject);
  request.once('timeout', () => request.destroy(new Error('i/o timeout')));
  request.end(from.body);
  return promise;
}

/** Bytes as Node writes a request line. A blank, which Go sends as it is, would be refused by Node. */
function wirePath(url: GoUrl): string {
  return Buffer.from(requestUri(url)).toString('latin1').replaceAll(' ', '%20');
}

function headersOf({ url, headers, body }: HttpCall, host: string, port: string): Record<string, string> {
  const named = host.includes(':') ? `[${host}]` : host;
  const { user } = url;
  const credentials = user === undefined ? '' : `${user.name}:${user.password ?? ''}`;
  return {
    host: port === '' ? named : `${named}:${port}`,
    'user-agent': 'stager',
    'accept-encoding': 'gzip',
    ...headers,
    ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
    ...(user !== undefined && { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
  };
}

/** The proxy, if any. An address that can't be read counts for nothing: so it is in the original. */
function wayOf({ env }: HttpCall, target: Parameters<Choice['choose']>[0]): ProxyServer | undefined {
  const way = wayTo(target, proxySettings(env));
  if (way.kind === 'cgi') {
    throw new Error('refusing to use HTTP_PROXY value in CGI environment; see golang.org/s/cgihttpproxy');
  }
  return way.kind === 'through' ? way.proxy : undefined;
}

function choiceFor({ tls, dial, signal }: HttpCall, proxy: ProxyServer | undefined): Choice {
  return {
    choose: () => proxy,
    tls: () => ({ ...tls, minVersion: 'TLSv1.2' }),
    signal,
    ...(dial !== undefined && { dial }),
  };
}

function asciiHost(host: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII begins there
  return /^[\x00-\x7f]*$/.test(host) ? host : domainToASCII(host) || host;
}

/** The C library takes `2130706433` and `0x7f.1` for addresses, Go asks for a host of that name. */
const OLD_ADDRESS = /^(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+)){0,3}$/i;

const lookup: LookupFunction = (host, options, done) => {
  if (!OLD_ADDRESS.test(host) || isIP(host) !== 0) {
    systemLookup(host, options, done);
    return;
  }
  const unknown = Object.assign(new Error(`no such host ${host}`), { code: 'ENOTFOUND' });
  process.nextTick(() => done(unknown, ''));
};
