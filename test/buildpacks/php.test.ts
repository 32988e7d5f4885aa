/** What the php buildpack reads, chooses and refuses, without PHP. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../buildpacks/kit/log.ts';
import { loadManifest, resolve } from '../../buildpacks/kit/manifest.ts';
import { contentHash, tellDrift, vendored } from '../../buildpacks/php/src/composer.ts';
import {
  demandExtensions,
  enabled,
  packageOf,
  wantedExtensions,
} from '../../buildpacks/php/src/extensions.ts';
import { readSettings, tellIgnored, webRoot } from '../../buildpacks/php/src/settings.ts';
import { choosePhp, fromComposer } from '../../buildpacks/php/src/version.ts';
import { type AppFiles, withAppFiles } from '../support/app-files.ts';

const manifest = await loadManifest('buildpacks/php');

/** What supply and finalize read before they install or write anything. */
async function read(files: AppFiles, env: Record<string, string> = {}): Promise<string> {
  return await withAppFiles(files, async (path) => {
    const lines: string[] = [];
    const log = createLog((line) => lines.push(line));
    const settings = await readSettings(path, env);
    await tellIgnored(path, settings, { env, log });
    const choose = (name: string, range?: string) =>
      resolve(manifest, name, range ?? '8.2.x', { stack: 'host', arch: process.arch });
    const php = choosePhp({ manifest, env: { CF_STACK: 'host' }, log, choose }, settings);
    const wanted = await wantedExtensions(path, settings);
    // Of PHP itself and the packages of 8.2.
    const installed = manifest.dependencies.flatMap(({ name }) =>
      name.startsWith('php8.2-') ? [name.slice(7)] : [],
    );
    demandExtensions(php, new Map([...wanted].map(([name, who]) => [packageOf(name), who])), {
      has: installed,
      installed,
    });
    const carried = await vendored(path, settings);
    if (settings.composer !== undefined) await tellDrift({ buildDir: path, log }, settings.lock);
    const root = await webRoot(path, settings);
    return [php.version, root, [...wanted.keys()].join(), JSON.stringify(carried), ...lines].join(' | ');
  });
}

const composer = (value: object): AppFiles => ({ 'composer.json': JSON.stringify(value) });
const php = (range: string) => composer({ require: { php: range } });
const options = (value: object): AppFiles => ({ '.bp-config/options.json': JSON.stringify(value) });

describe('the version of PHP', () => {
  it.each<[string, AppFiles, RegExp]>([
    ['nothing', { 'index.php': '' }, /^8\.2\.\d+ .*nothing asks for one/],
    ['a range that the default fits', php('^8.1'), /^8\.2\.\d+ .*composer\.json/],
    ['a range that it does not fit', php('~8.3.0 || ~8.4.0'), /^8\.4\./],
    ['Composer 1 style', php('8.3.*|8.5.*'), /^8\.5\./],
    ['two bounds', php('>= 8.3, < 8.5'), /^8\.4\./],
    ['options.json', options({ PHP_VERSION: '8.4.x' }), /^8\.4\./],
    ["Cloud Foundry's placeholder", options({ PHP_VERSION: '{PHP_83_LATEST}' }), /^8\.3\./],
    [
      'an exact patch that there is not',
      options({ PHP_VERSION: '8.4.99' }),
      /^8\.4\..*WARNING.*8\.4\.99 is not available/,
    ],
    [
      'all locked packages',
      {
        ...php('^8.2'),
        'composer.lock': JSON.stringify({
          packages: [{ name: 'a/b', version: '1', require: { php: '>=8.4' } }],
        }),
      },
      /^8\.5\./,
    ],
    ['BOM and CRLF', { 'composer.json': '\uFEFF{\r\n"require": {"php": "^8.3"}\r\n}' }, /^8\.5\./],
  ])('comes from %s', async (_what, files, expected) => {
    expect(await read(files)).toMatch(expected);
  });

  it("has Composer's ranges", () => {
    for (const [text, range] of [
      ['^8.2|^8.3', '^8.2 || ^8.3'],
      ['~8.2', '^8.2'],
      ['~8.2.1', '~8.2.1'],
      ['>=8.1,<8.4', '>=8.1 <8.4'],
      ['8.3.*', '8.3.x'],
      ['>=8.2 !=8.2.3', '>=8.2'],
      ['8.2 - 8.4', '8.2 - 8.4'],
    ] as const) {
      expect(fromComposer(text, 'x')).toBe(range);
    }
  });
});

describe('an app of PHP', () => {
  it('gets the extensions that files, options and packages ask for, in an order in which they load', async () => {
    const said = await read({
      ...composer({ require: { 'ext-gd': '*', 'ext-json': '*', 'ext-Zend-OPcache': '*' } }),
      'composer.lock': JSON.stringify({
        packages: [{ name: 'a/b', version: '1', require: { 'ext-pdo_mysql': '*' } }],
        platform: [],
      }),
      ...options({ PHP_EXTENSIONS: ['bcmath'] }),
      '.bp-config/php/php.ini.d/x.ini': 'extension=redis.so\n; extension=xdebug\n',
    });
    expect(said).toContain('bcmath,gd,opcache,pdo_mysql,redis');
    const wanted = new Map([
      ['pdo_mysql', 'x'],
      ['redis', 'x'],
    ]);
    expect(enabled(['pdo_mysql', 'redis', 'igbinary', 'ffi', 'pdo', 'mysqlnd'], wanted)).toEqual([
      ...['mysqlnd', 'pdo', 'igbinary', 'pdo_mysql', 'redis'],
    ]);
  });

  it.each<[string, AppFiles, Record<string, string>, string]>([
    ['public', { 'public/index.php': '', 'htdocs/index.php': '' }, {}, '| public |'],
    ['htdocs', { 'htdocs/index.html': '' }, {}, '| htdocs |'],
    ['the app', { 'index.php': '' }, {}, '| . |'],
    ['WEBDIR', { 'www/a.php': '' }, { WEBDIR: 'www' }, '| www |'],
  ])('has %s as document root', async (_what, files, env, expected) => {
    expect(await read(files, env)).toContain(expected);
  });

  it('is told what has no effect', async () => {
    const said = await read({
      ...options({ ADMIN_EMAIL: 'x', WEB_SERVER: 'httpd' }),
      '.bp-config/httpd/extra/x.conf': '',
    });
    expect(said).toContain('Ignored, without effect here: ADMIN_EMAIL, .bp-config/httpd');
  });

  it('is told what vendor/ lacks, and when the lock is of another composer.json', async () => {
    const lock = { 'content-hash': 'x', packages: [{ name: 'a/b', version: '2' }] };
    const files = {
      ...composer({ require: {} }),
      'composer.lock': JSON.stringify(lock),
      'vendor/autoload.php': '',
      'vendor/composer/installed.json': '{"packages": [{"name": "a/b", "version": "1"}]}',
    };
    const said = await read(files);
    expect(said).toContain('{"complete":false,"missing":["a/b 2"]}');
    expect(said).toContain('composer.lock does not belong to this composer.json');
    // The fixture's lock was written by Composer.
    const dir = 'fixtures/apps/php-composer';
    const hash = contentHash(readFileSync(`${dir}/composer.json`, 'utf8'));
    expect(readFileSync(`${dir}/composer.lock`, 'utf8')).toContain(`"content-hash": "${hash}"`);
  });

  it.each<[string, AppFiles, string]>([
    [
      'a version that there is not',
      options({ PHP_VERSION: '7.4.x' }),
      'no php version matches "7.4.x". Available: 8.5.',
    ],
    ['a version that is none', options({ PHP_VERSION: 'newest' }), '"newest" is not a version range for php'],
    [
      'a number as version',
      options({ PHP_VERSION: 8.2 }),
      'PHP_VERSION has to be a string; it is the number 8.2',
    ],
    ['a range that is none', php('eight'), 'composer.json asks for php "eight"'],
    ['an old PHP', php('^7.4'), 'composer.json asks for ^7.4'],
    [
      'packages that exclude each other',
      {
        ...php('~8.2.0'),
        'composer.lock': JSON.stringify({
          packages: [{ name: 'a/b', version: '1', require: { php: '>=8.4' } }],
        }),
      },
      'a/b asks for >=8.4',
    ],
    ['broken JSON', { 'composer.json': '{' }, 'composer.json is not valid JSON'],
    ['an empty file', { 'composer.json': '' }, 'composer.json is not valid JSON'],
    ['a broken lock', { ...php('^8.2'), 'composer.lock': '<?php' }, 'composer.lock is not valid JSON'],
    [
      'a lock without packages',
      { ...php('^8.2'), 'composer.lock': '{}' },
      'packages has to be a list; it is missing',
    ],
    ['a list for an object', { 'composer.json': '[]' }, 'composer.json has to be an object; it is a list'],
    ['a list of requirements', composer({ require: ['a/b'] }), 'require has to be an object; it is a list'],
    [
      'a number as requirement',
      composer({ require: { php: 8 } }),
      'require.php has to be a string; it is the number 8',
    ],
    ['broken options', { '.bp-config/options.json': '{,}' }, '.bp-config/options.json is not valid JSON'],
    ['a web server that there is not', options({ WEB_SERVER: 'caddy' }), 'WEB_SERVER'],
    [
      'a word for a list',
      options({ PHP_EXTENSIONS: 'gd' }),
      'PHP_EXTENSIONS has to be a list; it is the string "gd"',
    ],
    ['a WEBDIR that is not there', options({ WEBDIR: 'www' }), 'WEBDIR is www, which does not exist'],
    ['a WEBDIR outside', options({ WEBDIR: '../x' }), 'WEBDIR is ../x, which is outside the app'],
    [
      'a vendor folder outside',
      composer({ config: { 'vendor-dir': '/opt/v' } }),
      'the vendor folder is /opt/v',
    ],
    [
      'an extension that there is not',
      composer({ require: { 'ext-rdkafka': '*' } }),
      'has no extension rdkafka (composer.json). Available: ',
    ],
    [
      'a list of packages that is none',
      { ...php('^8.2'), 'vendor/autoload.php': '', 'vendor/composer/installed.json': '1' },
      'installed.json has no list of packages',
    ],
    [
      'merge conflicts',
      { 'composer.json': '<<<<<<< HEAD\n{}\n' },
      'composer.json has unresolved merge conflicts',
    ],
    ['a folder for a file', { 'composer.json/x': '' }, 'composer.json is a directory'],
  ])('with %s is refused in a sentence', async (_what, files, message) => {
    const failure = await read(files).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'BuildpackFailure', message: expect.stringContaining(message) });
    expect(String(failure)).not.toContain('Invalid input');
  });
});
