/**
 * What of the machine's own /etc a sandbox sees. Programs keep passwords and tokens there in files of any name, so only
 * what is on this list is taken.
 */

/**
 * What programs need of the machine's own /etc and what holds no secret: an entry, or what is listed of a directory.
 */
const HOST_ETC: Readonly<Record<string, 'all' | readonly string[]>> = {
  alternatives: 'all',
  apt: ['sources.list', 'sources.list.d', 'trusted.gpg', 'trusted.gpg.d', 'keyrings', 'preferences.d'],
  'bash.bashrc': 'all',
  'bash_completion.d': 'all',
  'bindresvport.blacklist': 'all',
  'ca-certificates': 'all',
  'ca-certificates.conf': 'all',
  'crypto-policies': 'all',
  debian_version: 'all',
  default: ['locale'],
  dpkg: 'all',
  ethertypes: 'all',
  fonts: 'all',
  'gai.conf': 'all',
  gitattributes: 'all',
  gitconfig: 'all',
  'host.conf': 'all',
  inputrc: 'all',
  issue: 'all',
  java: 'all',
  'ld.so.cache': 'all',
  'ld.so.conf': 'all',
  'ld.so.conf.d': 'all',
  'locale.alias': 'all',
  'locale.conf': 'all',
  localtime: 'all',
  'lsb-release': 'all',
  magic: 'all',
  'magic.mime': 'all',
  mailcap: 'all',
  maven: ['m2.conf', 'logging'],
  'mime.types': 'all',
  networks: 'all',
  npmrc: 'all',
  'nsswitch.conf': 'all',
  'os-release': 'all',
  'pip.conf': 'all',
  pki: ['ca-trust', 'tls/certs', 'tls/cert.pem'],
  profile: 'all',
  protocols: 'all',
  'redhat-release': 'all',
  rpc: 'all',
  security: ['limits.conf'],
  services: 'all',
  shells: 'all',
  skel: 'all',
  ssl: ['certs', 'openssl.cnf', 'cert.pem'],
  terminfo: 'all',
  timezone: 'all',
  'ucf.conf': 'all',
  vim: 'all',
  wgetrc: 'all',
  'xattr.conf': 'all',
};
/** Entries whose names carry a version or a vendor, such as `java-17-openjdk`. */
const HOST_PREFIXES = ['java-', 'python', 'perl', 'php', 'ruby', 'ImageMagick', 'fonts'] as const;

/** Links to manual pages: half of all links in the /etc of a machine with a database and a JDK, and no script reads one. */
const MANUAL_PAGE = /^alternatives\/.*\.gz$/;

/** Whether `path`, relative to /etc, is on the list. A directory above a listed path is. */
export function isListedEtc(path: string): boolean {
  if (MANUAL_PAGE.test(path)) return false;
  const [top = '', ...rest] = path.split('/');
  const listed = Object.hasOwn(HOST_ETC, top) ? HOST_ETC[top] : undefined;
  if (listed === undefined) return HOST_PREFIXES.some((prefix) => top.startsWith(prefix));
  if (listed === 'all' || rest.length === 0) return true;
  const below = rest.join('/');
  return listed.some((it) => below === it || below.startsWith(`${it}/`) || it.startsWith(`${below}/`));
}
