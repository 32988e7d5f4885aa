/** Proxies as stager uses them: checked before anything is sent, and handed to the tools that it starts. */
import type { ProxySettings } from '../../config/proxy.ts';
import { StagerError } from '../../words/errors.ts';
import { parseUrl } from '../../words/go-url.ts';
import { type ProxyServer, type ProxyTarget, parseProxy, wayTo } from './rules.ts';

/** Kinds of proxy that there is code for. */
const SUPPORTED = new Set(['http', 'https', 'socks5', 'socks5h']);

/**
 * The proxy for a request, or undefined for a direct connection.
 *
 * @throws StagerError CONFIG_INVALID for an address that can't be used: a request never goes past a proxy by mistake.
 */
export function proxyFor(target: ProxyTarget, settings: ProxySettings): ProxyServer | undefined {
  const way = wayTo(target, settings);
  if (way.kind === 'direct') return undefined;
  const variable = target.scheme === 'https' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  if (way.kind === 'cgi') throw fromCgi();
  const address = target.scheme === 'https' ? settings.https : settings.http;
  return usable(variable, address ?? '');
}

/** Refuses addresses that can't be used, before work begins. @throws StagerError CONFIG_INVALID */
export function checkProxies({ http, https, cgi }: ProxySettings): void {
  if (http !== undefined && cgi === true) throw fromCgi();
  for (const [variable, address] of [
    ['HTTP_PROXY', http],
    ['HTTPS_PROXY', https],
  ] as const) {
    if (address !== undefined) usable(variable, address);
  }
}

function usable(variable: string, address: string): ProxyServer {
  const proxy = parseProxy(address);
  // Go reads a broken URL once more, with http:// before it, and would ask a host called http.
  const isBroken = address.includes('://') && !parseUrl(address).ok;
  if (proxy === undefined || isBroken) throw unusable(variable, 'is not a proxy address');
  if (proxy.host === '' || /:\/\/\/*$/.test(address)) throw unusable(variable, 'names no host');
  if (!SUPPORTED.has(proxy.scheme)) throw unusable(variable, `has the scheme ${proxy.scheme}`);
  return proxy;
}

/** The address itself may hold a password. */
function unusable(variable: string, what: string): StagerError {
  const message = `the proxy in ${variable} (or ${variable.toLowerCase()}) can't be used: it ${what}`;
  return new StagerError('CONFIG_INVALID', message, {
    next: 'Use host:port, or a URL with http, https, socks5 or socks5h, or unset the variable.',
    details: { variable },
  });
}

function fromCgi(): StagerError {
  return new StagerError('CONFIG_INVALID', 'HTTP_PROXY is refused, since REQUEST_METHOD is set', {
    next: 'A CGI request can set HTTP_PROXY by a header. Unset one of the two variables.',
    details: { variable: 'HTTP_PROXY' },
  });
}

/**
 * The usual variables in both cases, since tools differ in which they read, and so that each reads them as we do: an
 * address has its scheme, and a bare domain is listed with its subdomains. Node's own `fetch` and `http` look at them
 * only when NODE_USE_ENV_PROXY says so (24.5, 22.21 and later), and then refuse to start with a SOCKS proxy.
 */
export function proxyVariables(proxy: ProxySettings): Readonly<Record<string, string>> {
  const pairs: readonly (readonly [string, string | undefined])[] = [
    ['http_proxy', withScheme(proxy.http)],
    ['https_proxy', withScheme(proxy.https)],
    ['no_proxy', withSubdomains(proxy.no)],
  ];
  const set = pairs.flatMap(([name, value]) =>
    value === undefined || value === ''
      ? []
      : [
          [name, value],
          [name.toUpperCase(), value],
        ],
  );
  const schemes = [proxy.http, proxy.https].flatMap((it) => (it ? [parseProxy(it)?.scheme] : []));
  if (schemes.length > 0 && schemes.every((it) => it === 'http' || it === 'https')) {
    set.push(['NODE_USE_ENV_PROXY', '1']);
  }
  return Object.fromEntries(set);
}

/** Node takes no address without a scheme, and none in capitals. */
function withScheme(address: string | undefined): string | undefined {
  if (address === undefined || address === '') return undefined;
  const [, scheme, rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]*)(:\/\/.*)$/s.exec(address) ?? [];
  return scheme === undefined ? `http://${address}` : `${scheme.toLowerCase()}${rest}`;
}

/** Node takes a bare domain for that host alone. */
function withSubdomains(list: string | undefined): string | undefined {
  if (list === undefined || list === '') return undefined;
  const entries = list.split(',').map((it) => it.trim());
  const isDomain = (entry: string): boolean => /^[A-Za-z][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)+$/.test(entry);
  return [...new Set(entries.flatMap((it) => (isDomain(it) ? [it, `.${it}`] : [it])))].join(',');
}

/** Secrets in proxy addresses, for redaction: as they are written and as they are meant. */
export function proxySecrets(proxy: ProxySettings): readonly string[] {
  const written = [proxy.http, proxy.https].flatMap((it) => {
    const password = it === undefined ? undefined : parseProxy(it)?.user?.password;
    const raw = /:([^:@/]*)@[^@]*$/.exec(it ?? '')?.[1];
    return [raw ?? '', password ?? ''];
  });
  return [...new Set(written.filter((it) => it !== ''))];
}
