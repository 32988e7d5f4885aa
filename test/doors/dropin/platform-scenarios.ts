/** Builder: platform options, CredHub, DATABASE_URL, buildpacks by URL. */
import { join } from 'node:path';
import { build, full, type Scenario } from './scenario.ts';
import type { Servers } from './servers.ts';

const SHOW = {
  ...full,
  supply: 'echo "url=$DATABASE_URL"; echo "services=$VCAP_SERVICES"; echo "options=$VCAP_PLATFORM_OPTIONS"',
};

const SERVICES: Readonly<Record<string, string>> = {
  postgres: '{"db":[{"credentials":{"uri":"postgres://u:p@h:5432/d?x=1"}}]}',
  postgresql: '{"db":[{"credentials":{"uri":"postgresql://u:p@h/d"}}]}',
  mysql: '{"db":[{"credentials":{"uri":"mysql://u:p@h/d"}}]}',
  mysql2: '{"db":[{"credentials":{"uri":"MySQL2://u:p@h/d"}}]}',
  'no scheme that counts': '{"a":[{"credentials":{"uri":"amqp://h"}}]}',
  'second counts': '{"a":[{"credentials":{"uri":"amqp://h"}},{"credentials":{"uri":"postgres://h/x"}}]}',
  'field names in capitals': '{"a":[{"Credentials":{"URI":"postgres://h/x"}}]}',
  'password with odd characters':
    '{"a":[{"credentials":{"uri":"postgres://us%40r:p!*\'(a%2Fb@h/d%20e#frag"}}]}',
  opaque: '{"a":[{"credentials":{"uri":"mysql:whatever"}}]}',
  'bad escape': '{"a":[{"credentials":{"uri":"mysql://h/%zz"}}]}',
  'credentials null': '{"a":[{"credentials":null},null],"b":null}',
  'credentials a text': '{"a":[{"credentials":"x"}],"b":[{"credentials":{"uri":"mysql://h/x"}}]}',
  'uri a number': '{"a":[{"credentials":{"uri":5}}]}',
  'label an object': '{"a":{"credentials":{"uri":"mysql://h/x"}}}',
  'not JSON': '{"a":[',
  'an array': '[]',
};

const OPTIONS: Readonly<Record<string, string>> = {
  'not JSON': 'nonsense',
  cut: '{"credhub-uri":',
  'bad key': '{x: 1}',
  'bad literal': '{"a": nul}',
  trailing: '{} x',
  'trailing comma': '{"a":1,}',
  'bad number': '{"a":-}',
  'bad escape': '{"a":"\\x"}',
  'raw line end': '{"a":"\n"}',
  'single quotes': "{'a':1}",
  'array not closed': '[1 2]',
  'an array': '["x"]',
  'a text': '"x"',
  'wrong type': '{"credhub-uri": 5}',
  null: 'null',
  'empty object': '{}',
  'empty uri': '{"credhub-uri": ""}',
};

export const REFS = '{"svc":[{"credentials":{"credhub-ref":"/c/x"},"name":"<n>"}]}';

export function credhubEnv(
  servers: Servers,
  services: string,
  over: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    VCAP_PLATFORM_OPTIONS: JSON.stringify({ 'credhub-uri': servers.credhub }),
    VCAP_SERVICES: services,
    CF_INSTANCE_CERT: join(servers.dir, 'client.crt'),
    CF_INSTANCE_KEY: join(servers.dir, 'client.key'),
    CF_SYSTEM_CERT_PATH: join(servers.dir, 'ca'),
    ...over,
  };
}

/** Environments of the CredHub scenarios, which the launcher shares. */
export const CREDHUB: Readonly<Record<string, (servers: Servers) => Record<string, string>>> = {
  interpolates: (servers) => credhubEnv(servers, REFS),
  'nothing to interpolate': (servers) => credhubEnv(servers, '{"a":[{"credentials":{"uri":"mysql://h/x"}}]}'),
  skipped: (servers) => credhubEnv(servers, REFS, { CREDHUB_SKIP_INTERPOLATION: '1' }),
  'no certificate': (servers) => credhubEnv(servers, REFS, { CF_INSTANCE_CERT: '' }),
  'no system certificates': (servers) => credhubEnv(servers, REFS, { CF_SYSTEM_CERT_PATH: '' }),
  'system certificates missing': (servers) =>
    credhubEnv(servers, REFS, { CF_SYSTEM_CERT_PATH: '/no/such/dir' }),
  'system certificate broken': (servers) =>
    credhubEnv(servers, REFS, { CF_SYSTEM_CERT_PATH: join(servers.dir, 'bad-ca') }),
  'certificate file missing': (servers) => credhubEnv(servers, REFS, { CF_INSTANCE_CERT: '/no/such/cert' }),
  'key file missing': (servers) => credhubEnv(servers, REFS, { CF_INSTANCE_KEY: '/no/such/key' }),
  'certificate is not PEM': (servers) => credhubEnv(servers, REFS, { CF_INSTANCE_CERT: '/etc/hostname' }),
  'key of another certificate': (servers) =>
    credhubEnv(servers, REFS, { CF_INSTANCE_KEY: join(servers.dir, 'other.key') }),
  'unknown authority': (servers) =>
    credhubEnv(servers, REFS, { CF_SYSTEM_CERT_PATH: join(servers.dir, 'no-ca') }),
  'connection refused': (servers) =>
    credhubEnv(servers, REFS, { VCAP_PLATFORM_OPTIONS: '{"credhub-uri":"https://127.0.0.1:1"}' }),
  'uri without host': (servers) =>
    credhubEnv(servers, REFS, { VCAP_PLATFORM_OPTIONS: '{"credhub-uri":"credhub"}' }),
  'uri broken': (servers) =>
    credhubEnv(servers, REFS, { VCAP_PLATFORM_OPTIONS: '{"credhub-uri":"https://h:port"}' }),
  'not found': (servers) => credhubEnv(servers, '{"not-found":[{"credentials":{"credhub-ref":"/c/x"}}]}'),
  forbidden: (servers) => credhubEnv(servers, '{"forbidden":[{"credentials":{"credhub-ref":"/c/x"}}]}'),
  'answer is not JSON': (servers) =>
    credhubEnv(servers, '{"garbage":[{"credentials":{"credhub-ref":"/c/x"}}]}'),
  'second attempt works': (servers) =>
    credhubEnv(servers, '{"flaky":[{"credentials":{"credhub-ref":"/c/x"}}]}'),
  'through a SOCKS proxy': (servers) =>
    credhubEnv(servers, REFS, { CREDHUB_PROXY: `socks5://${servers.socks}` }),
  'through a SOCKS proxy that asks who we are': (servers) =>
    credhubEnv(servers, REFS, { CREDHUB_PROXY: `socks5h://friend:pw@${servers.socks}` }),
  'SOCKS proxy that does not know us': (servers) =>
    credhubEnv(servers, REFS, { CREDHUB_PROXY: `socks5://other:pw@${servers.socks}` }),
  'SOCKS proxy that does not reach it': (servers) =>
    credhubEnv(servers, REFS, {
      CREDHUB_PROXY: `socks5://${servers.socks}`,
      VCAP_PLATFORM_OPTIONS: '{"credhub-uri":"https://refused.example:8844"}',
    }),
  'SOCKS proxy that is not there': (servers) =>
    credhubEnv(servers, REFS, { CREDHUB_PROXY: 'socks5://127.0.0.1:1' }),
  'SOCKS proxy that is not for it': (servers) =>
    credhubEnv(servers, REFS, { CREDHUB_PROXY: 'socks5://127.0.0.1:1', no_proxy: 'x, 127.0.0.0/8' }),
  'proxy of another kind': (servers) => credhubEnv(servers, REFS, { CREDHUB_PROXY: 'http://127.0.0.1:1' }),
  'proxy over ssh without a key': (servers) =>
    credhubEnv(servers, REFS, { CREDHUB_PROXY: 'ssh+socks5://jumpbox@127.0.0.1:1' }),
  'services are not JSON': (servers) => credhubEnv(servers, '{"credhub-ref"'),
  'services are an array': (servers) => credhubEnv(servers, '["credhub-ref"]'),
};

const quick = ['-credhubRetryDelay=1ms'];

export function fetched(
  name: string,
  keyOf: (servers: Servers) => string,
  flags: readonly string[] = [],
): Scenario {
  const scenario = build(`download: ${name}`, {}, { flags: ['-skipDetect', ...flags] });
  return {
    ...scenario,
    args: (world, servers) => [...scenario.args(world, servers), `-buildpackOrder=${keyOf(servers)}`],
    env: () => ({
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'protocol.file.allow',
      GIT_CONFIG_VALUE_0: 'always',
    }),
  };
}

const downloads: readonly Scenario[] = [
  fetched('zip', (servers) => `${servers.http}/good.zip`),
  fetched('zip after a redirect, with a query', (servers) => `${servers.http}/moved.zip`),
  fetched('nested zip', (servers) => `${servers.http}/nested.zip`),
  fetched('two zips', (servers) => `${servers.http}/good.zip,${servers.http}/nested.zip`),
  fetched('zip that is a text', (servers) => `${servers.http}/text.zip`),
  fetched('zip that is a page', (servers) => `${servers.http}/page.zip`),
  fetched('zip that is a long text', (servers) => `${servers.http}/long.zip`),
  fetched('zip that is empty', (servers) => `${servers.http}/empty.zip`),
  fetched('zip that is cut', (servers) => `${servers.http}/cut.zip`),
  fetched('zip that is missing', (servers) => `${servers.http}/none.zip`),
  fetched('zip over TLS, not verified', (servers) => `${servers.https}/good.zip`, ['-skipCertVerify']),
  fetched('git', (servers) => `file://${servers.dir}/repository`),
  fetched('git tag', (servers) => `file://${servers.dir}/repository#v1`),
  fetched('git branch with a submodule', (servers) => `file://${servers.dir}/repository#feature`),
  fetched('git branch that is not there', (servers) => `file://${servers.dir}/repository#nope`),
  fetched('git repository that is not there', (servers) => `file://${servers.dir}/none`),
  fetched('a name with a colon is a URL', () => 'foo:bar'),
  fetched('an scp address is not a URL', () => 'git@example.com:org/repo'),
  fetched('a bad escape is not a URL', () => 'https://host/%zz'),
  fetched('a bad port is not a URL', () => 'https://host:port/x'),
  fetched('a name with a slash is a name', () => 'org/name'),
];

/** All of these. */
export const platformScenarios: readonly Scenario[] = [
  ...Object.entries(SERVICES).map(([name, services]) =>
    build(
      `DATABASE_URL: ${name}`,
      { only: SHOW },
      { env: () => ({ VCAP_SERVICES: services, DATABASE_URL: 'preset' }) },
    ),
  ),
  ...Object.entries(OPTIONS).map(([name, options]) =>
    build(`platform options: ${name}`, { only: SHOW }, { env: () => ({ VCAP_PLATFORM_OPTIONS: options }) }),
  ),
  ...Object.entries(CREDHUB).map(([name, envOf]) =>
    build(`credhub: ${name}`, { only: SHOW }, { flags: quick, env: (_, servers) => envOf(servers) }),
  ),
  build(
    'credhub: no attempts empty the variable',
    { only: SHOW },
    {
      flags: ['-credhubConnectAttempts=0'],
      env: (_, servers) => credhubEnv(servers, REFS),
    },
  ),
  ...downloads,
];
