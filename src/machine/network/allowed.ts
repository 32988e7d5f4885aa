/**
 * Places that are allowed by name, whatever the rules say and wherever they are: the operator's proxies and mirrors, of
 * the machine itself included.
 */
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP, isIPv4 } from 'node:net';
import type { ProxySettings } from '../../config/proxy.ts';
import { StagerError } from '../../words/errors.ts';
import { parseProxy } from '../proxy/rules.ts';

/** A host and a TCP port. */
export interface HostPort {
  /** A name or an IPv4 address. */
  readonly host: string;
  readonly port: number;
}

/** An address and a TCP port. */
export interface AllowedAddress {
  readonly address: string;
  readonly port: number;
}

/** A name that does not answer by then is left out. */
const LOOKUP_MS = 2_000;
/** Settings of package managers that scripts see as well. */
const MIRROR_FILES = ['/etc/npmrc', '/etc/pip.conf'] as const;

/** Reads `host:port`. @throws StagerError CONFIG_INVALID */
export function parsePlace(text: string): HostPort {
  const [, host = '', digits = ''] = /^([^\s:/[\]]+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (host !== '' && port >= 1 && port <= 65_535) return { host, port };
  throw new StagerError('CONFIG_INVALID', `--allow-host: ${JSON.stringify(text)} is not a host and a port`, {
    next: 'Write it as host:port, such as mirror.example.com:443 or 127.0.0.1:4873; IPv6 is not forwarded.',
    details: { value: text },
  });
}

/** The operator's proxies. */
export function proxyPlaces({ http, https }: ProxySettings): readonly HostPort[] {
  return [http, https].flatMap((address) => {
    const proxy = address === undefined ? undefined : parseProxy(address);
    return proxy === undefined || proxy.host === '' || !(proxy.port > 0)
      ? []
      : [{ host: proxy.host, port: proxy.port }];
  });
}

/** Mirrors that the machine's own settings of package managers name, and what the operator's variables do. */
export async function mirrorPlaces(
  variables: readonly string[] = [],
  files: readonly string[] = MIRROR_FILES,
): Promise<readonly HostPort[]> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return [...texts, ...variables].flatMap(placesIn);
}

/** Hosts and ports of the addresses in a text; GOPROXY has commas and bars between them. */
export function placesIn(text: string): readonly HostPort[] {
  return [...text.matchAll(/\bhttps?:\/\/[^\s"',|]+/g)].flatMap(([address]) => {
    const url = URL.canParse(address) ? new URL(address) : undefined;
    if (url === undefined) return [];
    return [{ host: url.hostname, port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)) }];
  });
}

/** Looks the names up, now: the filter knows addresses only. */
export async function addressesOf(places: readonly HostPort[]): Promise<readonly AllowedAddress[]> {
  const hosts = [...new Set(places.map(({ host }) => host))];
  const known = new Map(
    await Promise.all(hosts.map(async (host) => [host, await addressesOfHost(host)] as const)),
  );
  const all = places.flatMap(({ host, port }) =>
    (known.get(host) ?? []).map((address) => ({ address, port })),
  );
  return [...new Map(all.map((it) => [`${it.address}:${it.port}`, it])).values()];
}

async function addressesOfHost(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return isIPv4(host) ? [host] : [];
  const { promise: late, resolve } = Promise.withResolvers<readonly string[]>();
  const timer = setTimeout(() => resolve([]), LOOKUP_MS);
  const found = lookup(host, { family: 4, all: true }).then(
    (answers) => answers.map(({ address }) => address),
    () => [],
  );
  return await Promise.race([found, late]).finally(() => clearTimeout(timer));
}
