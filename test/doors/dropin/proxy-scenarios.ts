/** Proxies: which requests go through one, by which address, and what is said when it does not work. */
import { credhubEnv, fetched, REFS } from './platform-scenarios.ts';
import { launch, type Scenario } from './scenario.ts';
import type { Servers } from './servers.ts';

type Env = Readonly<Record<string, string>>;

/** CredHub by a name that only a proxy knows. Going directly ends with 3, since nobody else knows the name. */
function credhub(name: string, host: string, envOf: (servers: Servers) => Env): Scenario {
  const uriOf = ({ credhub: address }: Servers): string => `https://${host}:${address.split(':').at(-1)}`;
  return launch(`proxy: ${name}`, '', {
    args: () => ['../app', 'echo "$VCAP_SERVICES"', '-credhubConnectAttempts=1'],
    env: (_, servers) =>
      credhubEnv(servers, REFS, {
        VCAP_PLATFORM_OPTIONS: JSON.stringify({ 'credhub-uri': uriOf(servers) }),
        ...envOf(servers),
      }),
  });
}

/** A zip by a name that only a proxy knows, or from the outside address of this machine. */
function zip(name: string, envOf: (servers: Servers) => Env, from: 'name' | 'outside' = 'name'): Scenario {
  const scenario = fetched(name, ({ http, outside }) =>
    from === 'name' ? `${http.replace('127.0.0.1', 'bp.test')}/good.zip?a=b` : `${outside}/good.zip`,
  );
  return { ...scenario, name: `proxy: ${name}`, env: (_, servers) => envOf(servers) };
}

const through =
  (over: Env) =>
  ({ proxy }: Servers): Env => ({ HTTPS_PROXY: `http://${proxy}`, ...over });

/** Lists of hosts that are reached directly, each asked about one host. */
const EXCLUDED: readonly (readonly [host: string, list: string])[] = [
  ['sub.bp.test', 'bp.test'],
  ['bp.test', 'bp.test'],
  ['bp.test', '.bp.test'],
  ['sub.bp.test', '.bp.test'],
  ['sub.bp.test', '*.bp.test'],
  ['bp.test', '*.bp.test'],
  ['abp.test', 'bp.test'],
  ['bp.test', ' other , BP.test '],
  ['BP.test', 'bp.test'],
  ['bp.test', 'other bp.test'],
  ['bp.test', 'bp.test:443'],
  ['bp.test', '*'],
  ['bp.test', 'x,*,y'],
  ['bp.test', 'p.test'],
  ['bp.test', 'bp.test.'],
  ['bp.test', 'http://bp.test'],
];

const credhubScenarios: readonly Scenario[] = [
  ...EXCLUDED.map(([host, list]) =>
    credhub(`${host} with no_proxy ${list}`, host, through({ no_proxy: list })),
  ),
  credhub('CredHub without a scheme', 'bp.test', ({ proxy }) => ({ https_proxy: proxy })),
  credhub('CredHub with who we are', 'bp.test', ({ proxy }) => ({
    https_proxy: `http://us%40x:p%3Aw@${proxy}`,
  })),
  credhub('CredHub, refused', 'refused.bp.test', through({})),
  credhub('CredHub, not there', 'bp.test', () => ({ HTTPS_PROXY: 'http://127.0.0.1:1' })),
  credhub('CredHub over SOCKS', 'bp.test', ({ socks }) => ({ HTTPS_PROXY: `socks5://${socks}` })),
  credhub('CredHub over SOCKS by its other name', 'bp.test', ({ socks }) => ({
    https_proxy: `SOCKS5H://friend:pw@${socks}`,
  })),
  credhub('CredHub over SOCKS, refused', 'refused.bp.test', ({ socks }) => ({
    HTTPS_PROXY: `socks5://${socks}`,
  })),
  credhub('CredHub over SOCKS, not known', 'bp.test', ({ socks }) => ({
    HTTPS_PROXY: `socks5://other:pw@${socks}`,
  })),
  credhub('CredHub over SOCKS, not there', 'bp.test', () => ({ HTTPS_PROXY: 'socks5://127.0.0.1:1' })),
  credhub('a scheme that nobody knows', 'bp.test', ({ proxy }) => ({ HTTPS_PROXY: `ftp://${proxy}` })),
  credhub('an address that is none', 'bp.test', () => ({ HTTPS_PROXY: 'http://[::1' })),
  credhub('an address with a blank', 'bp.test', () => ({ HTTPS_PROXY: 'a b://%' })),
  credhub('only the one for http', 'bp.test', ({ proxy }) => ({ HTTP_PROXY: proxy })),
  credhub('the variable for all', 'bp.test', ({ proxy }) => ({ ALL_PROXY: proxy })),
  credhub('a CGI request does not matter for https', 'bp.test', through({ REQUEST_METHOD: 'GET' })),
  credhub('upper case wins', 'bp.test', ({ proxy }) => ({
    HTTPS_PROXY: proxy,
    https_proxy: '127.0.0.1:1',
  })),
  credhub('lower case counts where upper case is empty', 'bp.test', ({ proxy }) => ({
    HTTPS_PROXY: '',
    https_proxy: proxy,
  })),
  credhub('upper case wins for no_proxy', 'bp.test', through({ NO_PROXY: 'x', no_proxy: 'bp.test' })),
  credhub('CREDHUB_PROXY leads to the proxy', 'bp.test', ({ proxy, socks }) => ({
    HTTPS_PROXY: proxy,
    CREDHUB_PROXY: `socks5://${socks}`,
  })),
  credhub('the loopback address', '127.0.0.1', () => ({ HTTPS_PROXY: '127.0.0.1:1' })),
  credhub('localhost', 'localhost', () => ({ HTTPS_PROXY: '127.0.0.1:1' })),
];

const zipScenarios: readonly Scenario[] = [
  zip('zip', ({ proxy }) => ({ HTTP_PROXY: `http://${proxy}` })),
  zip('zip, scheme in capitals', ({ proxy }) => ({ http_proxy: `HTTP://${proxy}/ignored` })),
  zip('zip, without a scheme, with who we are', ({ proxy }) => ({ http_proxy: `us:pw@${proxy}` })),
  zip('zip over SOCKS', ({ socks }) => ({ http_proxy: `socks5h://${socks}` })),
  zip('zip, a scheme that nobody knows', ({ proxy }) => ({ http_proxy: `ftp://${proxy}` })),
  zip('zip, address in no_proxy', () => ({ http_proxy: '127.0.0.1:1', no_proxy: '192.0.2.2' }), 'outside'),
  zip('zip, network in no_proxy', () => ({ http_proxy: '127.0.0.1:1', no_proxy: '0.0.0.0/0' }), 'outside'),
  zip('zip, other network', ({ proxy }) => ({ http_proxy: proxy, no_proxy: '203.0.113.0/24' }), 'outside'),
  zip('zip in a CGI request', ({ proxy }) => ({ http_proxy: proxy, REQUEST_METHOD: 'GET' })),
  zip(
    'zip in a CGI request, not for this host',
    () => ({ http_proxy: 'x', REQUEST_METHOD: '', no_proxy: '*' }),
    'outside',
  ),
];

/** All of these. */
export const proxyScenarios: readonly Scenario[] = [...credhubScenarios, ...zipScenarios];
