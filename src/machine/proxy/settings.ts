/** Proxies as plain data: given once, used by our own downloads and by the scripts of buildpacks. */

/** Proxy URLs, credentials included where they are needed; `no` is the comma-separated list of `no_proxy`. */
export interface ProxySettings {
  readonly http?: string;
  readonly https?: string;
  readonly no?: string;
}

/**
 * The usual variables in both cases, since tools differ in which they read; nothing is invented. Node's own `fetch`
 * and `http` look at them only when NODE_USE_ENV_PROXY says so (24.5, 22.21 and later).
 */
export function proxyVariables(proxy: ProxySettings): Readonly<Record<string, string>> {
  const pairs: readonly (readonly [string, string | undefined])[] = [
    ['http_proxy', proxy.http],
    ['https_proxy', proxy.https],
    ['no_proxy', proxy.no],
  ];
  const set = pairs.flatMap(([name, value]) =>
    value === undefined || value === ''
      ? []
      : [
          [name, value],
          [name.toUpperCase(), value],
        ],
  );
  if (proxy.http || proxy.https) set.push(['NODE_USE_ENV_PROXY', '1']);
  return Object.fromEntries(set);
}

/** The proxy for a URL, or undefined for a direct connection. */
export function proxyFor(url: URL, proxy: ProxySettings): string | undefined {
  const chosen = url.protocol === 'https:' ? proxy.https : proxy.http;
  if (chosen === undefined || chosen === '' || isExcluded(url, proxy.no ?? '')) return undefined;
  return chosen.includes('://') ? chosen : `http://${chosen}`;
}

/** curl's rules: `*`, a host, a domain with or without leading dot, each with an optional port; IPv4 CIDR as Go has it. */
function isExcluded(url: URL, list: string): boolean {
  const host = url.hostname.toLowerCase().replace(/^\[|\]$/g, '');
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list
    .split(/[\s,]+/)
    .filter((rule) => rule !== '')
    .some((rule) => {
      if (rule === '*') return true;
      if (inCidr(host, rule)) return true;
      const [, name = '', rulePort] =
        /^(?:\*?\.)?(\[[^\]]*\]|[^:]*|[0-9a-f:]+)(?::(\d+))?$/i.exec(rule) ?? [];
      if (name === '' || (rulePort !== undefined && rulePort !== port)) return false;
      const suffix = name.toLowerCase().replace(/^\[|\]$/g, '');
      return host === suffix || host.endsWith(`.${suffix}`);
    });
}

function inCidr(host: string, rule: string): boolean {
  const [, network, bits] = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(rule) ?? [];
  const address = ipv4(host);
  const base = network === undefined ? undefined : ipv4(network);
  if (address === undefined || base === undefined || bits === undefined || Number(bits) > 32) return false;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(address / size) === Math.floor(base / size);
}

function ipv4(text: string): number | undefined {
  const parts = text.split('.').map(Number);
  if (parts.length !== 4 || parts.some((it) => !Number.isInteger(it) || it < 0 || it > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** Secrets in proxy URLs, for redaction. */
export function proxySecrets(proxy: ProxySettings): readonly string[] {
  return [proxy.http, proxy.https].flatMap((it) => {
    if (it === undefined || !URL.canParse(it)) return [];
    const { password } = new URL(it);
    return password === '' ? [] : [password, decodeURIComponent(password)];
  });
}
