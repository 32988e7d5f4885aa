/** settings.xml for what the environment says of the network: a mirror and proxies. Settings of the app come on top. */
import { type Env, registryUrl } from '../../kit/index.ts';

const CENTRAL = 'https://repo1.maven.org/maven2';

/** The mirror stands for Maven Central; other repositories of a pom are asked as they are. */
export function settingsXml(env: Env): string {
  const mirror = new URL(registryUrl('maven', env));
  const { username, password } = mirror;
  mirror.username = '';
  mirror.password = '';
  const url = mirror.href.replace(/\/$/, '');
  const server =
    username === ''
      ? ''
      : element(
          'servers',
          element(
            'server',
            fields({
              id: 'stager-mirror',
              username: decodeURIComponent(username),
              password: decodeURIComponent(password),
            }),
          ),
        );
  const mirrors =
    url === CENTRAL
      ? ''
      : element('mirrors', element('mirror', fields({ id: 'stager-mirror', mirrorOf: 'central', url })));
  return `<settings>\n${server}${mirrors}${proxies(env)}</settings>\n`;
}

function proxies(env: Env): string {
  const without = (env['no_proxy'] ?? env['NO_PROXY'] ?? '')
    .split(',')
    .map((host) => host.trim())
    .filter(Boolean)
    .map((host) => (host.startsWith('.') ? `*${host}` : host));
  const all = (['http', 'https'] as const).flatMap((protocol) => {
    const value = env[`${protocol}_proxy`] || env[`${protocol.toUpperCase()}_PROXY`] || '';
    const address = value.includes('://') ? value : `http://${value}`;
    if (value === '' || !URL.canParse(address)) return [];
    const { hostname, port, username, password } = new URL(address);
    const login =
      username === ''
        ? {}
        : { username: decodeURIComponent(username), password: decodeURIComponent(password) };
    return element(
      'proxy',
      fields({
        id: protocol,
        active: 'true',
        protocol,
        host: hostname,
        port: port || '80',
        ...login,
        nonProxyHosts: without.join('|'),
      }),
    );
  });
  return all.length === 0 ? '' : element('proxies', all.join(''));
}

const element = (name: string, content: string): string => `<${name}>\n${content}</${name}>\n`;

const fields = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `<${name}>${escaped(value)}</${name}>\n`)
    .join('');

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
