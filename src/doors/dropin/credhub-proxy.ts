/** CREDHUB_PROXY: a SOCKS5 proxy between us and CredHub, by the rules of CredHub's own client. */
import { BlockList, isIP, isIPv6, type Socket } from 'node:net';
import { type Endpoint, type SocksProxy, socksConnect } from './go/socks.ts';
import { type GoUrl, parseUrl } from './go/url.ts';

/** Makes the connection that TLS goes over. */
export type Dial = (target: Endpoint, signal: AbortSignal) => Promise<Socket>;

/**
 * How CredHub is reached; undefined for directly, which is also what a variable means that is not a SOCKS5 address.
 * `no_proxy` counts, in lower case only.
 */
export function credhubDial(credhub: GoUrl, env: Readonly<Record<string, string>>): Dial | undefined {
  const proxy = proxyOf(env['CREDHUB_PROXY'] ?? '');
  if (proxy === undefined || isExcluded(endpointOf(credhub).host, env['no_proxy'] ?? '')) return undefined;
  return (target, signal) => socksConnect(proxy, target, signal);
}

/** Of SOCKS. */
const DEFAULT_PORT = 1080;

function proxyOf(text: string): SocksProxy | undefined {
  const parsed = parseUrl(text);
  if (!parsed.ok || !['socks5', 'socks5h'].includes(parsed.url.scheme)) return undefined;
  const { user } = parsed.url;
  return {
    ...endpointOf(parsed.url),
    user: user === undefined ? undefined : { name: user.name, password: user.password ?? '' },
  };
}

function endpointOf(url: GoUrl): Endpoint {
  const [, host = '', port = ''] = /^(.*?)(?::(\d*))?$/.exec(url.host) ?? [];
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? DEFAULT_PORT : Number(port) };
}

/** Names, `*.names`, addresses and networks, between commas. */
function isExcluded(host: string, list: string): boolean {
  const entries = list.split(',').map((it) => it.trim());
  if (isIP(host) === 0) {
    return entries.some((it) => it === host || (it.startsWith('*.') && `.${host}`.endsWith(it.slice(1))));
  }
  const excluded = new BlockList();
  for (const entry of entries) {
    const [address = '', bits = ''] = entry.split('/');
    const type = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (isIP(address) === 0) continue;
    if (bits === '') excluded.addAddress(address, type);
    else if (Number(bits) <= (type === 'ipv6' ? 128 : 32)) excluded.addSubnet(address, Number(bits), type);
  }
  return excluded.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}
