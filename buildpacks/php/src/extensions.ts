/** Which extensions an app needs, and which packages of Debian have them. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildpackFailure, type Dependency, readText } from '../../kit/index.ts';
import type { Settings } from './settings.ts';

/** Where the package is not named like the extension. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  common: [
    ...['calendar', 'ctype', 'exif', 'ffi', 'fileinfo', 'ftp', 'gettext', 'iconv', 'pdo', 'phar', 'posix'],
    ...['shmop', 'sockets', 'sysvmsg', 'sysvsem', 'sysvshm', 'tokenizer'],
  ],
  xml: ['dom', 'simplexml', 'xml', 'xmlreader', 'xmlwriter', 'xsl'],
  mysql: ['mysqlnd', 'mysqli', 'pdo_mysql'],
  pgsql: ['pgsql', 'pdo_pgsql'],
  sqlite3: ['sqlite3', 'pdo_sqlite'],
};
/** Compiled in. */
const ALWAYS = [
  ...['core', 'date', 'filter', 'hash', 'json', 'libxml', 'openssl', 'pcntl', 'pcre', 'random'],
  ...['reflection', 'session', 'spl', 'standard', 'zlib'],
];
/** Packages that every app gets: frameworks expect their extensions. */
export const STANDARD_PACKAGES = ['curl', 'mbstring', 'xml', 'zip'];
/** On where they are installed, as with Debian's own configuration. */
const STANDARD = new Set([
  ...(PACKAGES['common'] ?? []).filter((name) => name !== 'ffi'),
  ...(PACKAGES['xml'] ?? []),
  ...['curl', 'mbstring', 'zip', 'opcache'],
]);
/** Not asked for, but needed by one that is. */
const USED_BY: Readonly<Record<string, readonly string[]>> = {
  mysqlnd: ['mysqli', 'pdo_mysql'],
  igbinary: ['redis', 'memcached'],
  msgpack: ['memcached'],
};
/** Others need these, so they come first. */
const FIRST = ['opcache', 'mysqlnd', 'pdo', 'xml', 'dom', 'igbinary', 'msgpack'];

/** The suffix of `php8.2-<suffix>` that has an extension. */
export function packageOf(extension: string): string {
  const found = Object.entries(PACKAGES).find(([, names]) => names.includes(extension));
  return found?.[0] ?? extension;
}

/** Names as `php -m` would have them in small letters, each with who asks. */
export async function wantedExtensions(dir: string, settings: Settings): Promise<Map<string, string>> {
  const wanted = new Map<string, string>();
  const want = (name: string, who: string): void => {
    const plain = name
      .toLowerCase()
      .replace(/\.so$/, '')
      .replaceAll('-', '_')
      .replace(/^zend_opcache$/, 'opcache');
    if (!ALWAYS.includes(plain) && !wanted.has(plain)) wanted.set(plain, who);
  };
  const { options, composer, lock } = settings;
  for (const name of [...options.PHP_EXTENSIONS, ...options.ZEND_EXTENSIONS]) want(name, 'options.json');
  const asking = [
    { name: 'composer.json', require: composer?.require ?? {} },
    ...(lock?.packages ?? []),
    { name: 'composer.lock', require: lock?.platform ?? {} },
  ];
  for (const { name, require } of asking) {
    for (const key of Object.keys(require)) if (key.startsWith('ext-')) want(key.slice(4), name);
  }
  for (const file of await iniFiles(dir)) {
    const text = (await readText(dir, file)) ?? '';
    for (const [, name = ''] of text.matchAll(/^\s*(?:zend_)?extension\s*=\s*"?([\w.-]+)"?/gm)) {
      want(name, file);
    }
  }
  return wanted;
}

/** The app's own PHP settings. */
export async function iniFiles(dir: string): Promise<string[]> {
  const folder = '.bp-config/php/php.ini.d';
  const names = await readdir(join(dir, folder)).catch(() => []);
  const own = [
    '.bp-config/php/php.ini',
    ...names
      .filter((name) => name.endsWith('.ini'))
      .sort()
      .map((name) => `${folder}/${name}`),
  ];
  const there = await Promise.all(
    own.map(async (file) => ((await readText(dir, file)) === undefined ? [] : [file])),
  );
  return there.flat();
}

/** Of the modules that are installed, those that are switched on, in the order in which PHP can load them. */
export function enabled(installed: readonly string[], wanted: ReadonlyMap<string, string>): string[] {
  const place = (name: string) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return installed
    .filter(
      (name) => STANDARD.has(name) || wanted.has(name) || (USED_BY[name] ?? []).some((by) => wanted.has(by)),
    )
    .sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
}

/** @throws BuildpackFailure naming those that are asked for and not there, and who asks. */
export function demandExtensions(
  php: Dependency,
  wanted: ReadonlyMap<string, string>,
  { has, installed }: { readonly has: readonly string[]; readonly installed: readonly string[] },
): void {
  const lacking = [...wanted].filter(([name]) => !has.includes(name));
  if (lacking.length === 0) return;
  const all = [...new Set([...installed, ...has.filter((name) => /^\w+$/.test(name))])].sort();
  throw new BuildpackFailure(
    `PHP ${php.version} has no extension ${lacking.map(([name, who]) => `${name} (${who})`).join(', ')}. Available: ${all.join(', ')}`,
    {
      next: 'Remove the requirement, or ask for another PHP (PHP_VERSION); docs/languages/php.md lists what 8.2 can have.',
    },
  );
}
