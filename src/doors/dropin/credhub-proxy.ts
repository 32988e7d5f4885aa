/** CREDHUB_PROXY: a SOCKS5 proxy between us and CredHub, by the rules of CredHub's own client. */
import { BlockList, isIP, isIPv6 } from 'node:net';
import { type Dial, dialThrough, ProxyFailure } from '../../machine/proxy/dial.ts';
import { type ProxyServer, proxyAt, splitHost } from '../../machine/proxy/rules.ts';
import { type GoUrl, parseUrl } from '../../words/go-url.ts';
import { socksReason } from './go/http-failures.ts';

/**
 * How CredHub is reached; undefined for directly, which is also what a variable means that is not a SOCKS5 address.
 * `no_proxy` counts, in lower case only.
 */
export function credhubDial(credhub: GoUrl, env: Readonly<Record<string, string>>): Dial | undefined {
  const proxy = proxyOf(env['CREDHUB_PROXY'] ?? '');
  if (proxy === undefined || isExcluded(splitHost(credhub.host).host, env['no_proxy'] ?? '')) {
    return undefined;
  }
  return async (target, signal) => {
    try {
      return await dialThrough(proxy, target, { tls: () => ({}), signal });
    } catch (error) {
      if (!(error instanceof ProxyFailure)) throw error;
      throw new Error(socksReason(error, target), { cause: error });
    }
  };
}

function proxyOf(text: string): ProxyServer | undefined {
  const parsed = parseUrl(text);
  return parsed.ok && ['socks5', 'socks5h'].includes(parsed.url.scheme) ? proxyAt(parsed.url) : undefined;
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
