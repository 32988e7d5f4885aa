/**
 * Which proxy a request goes through, by the rules of Go's golang.org/x/net/http/httpproxy. The drop-ins have to go by
 * them, and two readings of the same variables in one program would be a trap.
 */
import { BlockList, isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import type { ProxySettings } from '../../config/proxy.ts';
import { type GoUrl, parseUrl } from '../../words/go-url.ts';

/** Whom a request is for. */
export interface ProxyTarget {
  readonly scheme: 'http' | 'https';
  /** Without brackets. */
  readonly host: string;
  /** Empty for the scheme's own. */
  readonly port: string;
}

/** A proxy, and who we are to it. */
export interface ProxyServer {
  /** Lower case; `http`, `https`, `socks5` and `socks5h` can be used. */
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly user: { readonly name: string; readonly password: string } | undefined;
}

/** What the rules say of one request. */
export type Way =
  | { readonly kind: 'direct' }
  | { readonly kind: 'through'; readonly proxy: ProxyServer }
  /** The address can't be read. Go would go directly without a word. */
  | { readonly kind: 'invalid' }
  /** The proxy may have been set by whoever sent a CGI request. */
  | { readonly kind: 'cgi' };

/** How a request to `target` goes. */
export function wayTo(target: ProxyTarget, settings: ProxySettings): Way {
  const address = target.scheme === 'https' ? settings.https : settings.http;
  if (address === undefined || address === '') return { kind: 'direct' };
  const proxy = parseProxy(address);
  if (proxy !== undefined && target.scheme === 'http' && settings.cgi === true) return { kind: 'cgi' };
  if (isExcluded(target, settings.no ?? '')) return { kind: 'direct' };
  return proxy === undefined ? { kind: 'invalid' } : { kind: 'through', proxy };
}

const PORTS: Readonly<Record<string, string>> = { http: '80', https: '443', socks5: '1080', socks5h: '1080' };

/** Reads an address; one that is not a URL with a host is tried again with `http://` before it. */
export function parseProxy(address: string): ProxyServer | undefined {
  const given = parseUrl(address);
  const isWhole = given.ok && given.url.scheme !== '' && given.url.host !== '';
  const read = isWhole ? given : parseUrl(`http://${address}`);
  const parsed = read.ok ? read : given;
  return parsed.ok ? proxyAt(parsed.url) : undefined;
}

/** The proxy that a parsed address names. */
export function proxyAt(url: GoUrl): ProxyServer {
  const { host, port } = splitHost(url.host);
  return {
    scheme: url.scheme,
    host,
    port: Number(port === '' ? (PORTS[url.scheme] ?? '') : port),
    user: url.user === undefined ? undefined : { name: url.user.name, password: url.user.password ?? '' },
  };
}

/** `host:port` of a URL in two, without brackets; the port is empty where there is none. */
export function splitHost(text: string): { readonly host: string; readonly port: string } {
  const [, host = text, port = ''] = /^(.*):(\d*)$/s.exec(text) ?? [];
  const inBrackets = /^\[(.*)\]$/s.exec(host)?.[1];
  return { host: inBrackets ?? host, port };
}

function isExcluded(target: ProxyTarget, list: string): boolean {
  const ascii = toAscii(target.host);
  if (ascii === 'localhost') return true;
  const host = ascii.toLowerCase();
  const port = target.port === '' ? (PORTS[target.scheme] ?? '') : target.port;
  if (contains(LOOPBACK, host)) return true;
  const entries = list.split(',').map((it) => it.trim().toLowerCase());
  return entries.some((entry) => entry === '*' || matches(entry, host, port));
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

function contains(list: BlockList, host: string): boolean {
  const family = isIP(host);
  return family !== 0 && list.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

function matches(entry: string, host: string, port: string): boolean {
  const network = networkOf(entry);
  if (network !== undefined) return contains(network, host);
  const { name, only } = splitEntry(entry);
  if (name === '' || (only !== '' && only !== port)) return false;
  if (isIP(name) !== 0) return contains(addressList(name), host);
  if (isIP(host) !== 0) return false;
  const suffix = toAscii(name.startsWith('*.') ? name.slice(1) : name);
  return suffix.startsWith('.') ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`);
}

/** The network of `10.0.0.0/8`. */
function networkOf(entry: string): BlockList | undefined {
  const [, address = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = isIP(address);
  if (family === 0 || Number(bits) > (family === 6 ? 128 : 32)) return undefined;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family === 6 ? 'ipv6' : 'ipv4');
  return list;
}

function addressList(address: string): BlockList {
  const list = new BlockList();
  list.addAddress(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return list;
}

/** A name or address and the one port that it is for, as net.SplitHostPort takes them apart. */
function splitEntry(entry: string): { readonly name: string; readonly only: string } {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(entry);
  if (match === null) return { name: entry, only: '' };
  return { name: match[1] ?? match[2] ?? '', only: match[3] ?? '' };
}

function toAscii(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII begins there
  if (/^[\x00-\x7f]*$/.test(name)) return name;
  const dot = name.startsWith('.') ? '.' : '';
  const ascii = domainToASCII(name.slice(dot.length));
  return ascii === '' ? name : dot + ascii;
}
