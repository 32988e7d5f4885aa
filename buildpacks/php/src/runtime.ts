/** PHP below deps/<idx>/php, wherever it is from: bin, sbin, modules, lib, etc. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  BuildpackFailure,
  type Dependency,
  demandLibc,
  installLibraries,
  output,
  readText,
  type StepContext,
} from '../../kit/index.ts';
import { demandExtensions, enabled, iniFiles, packageOf, STANDARD_PACKAGES } from './extensions.ts';

/** What one request may take, unless the app's own settings say otherwise. */
export const MEMORY_LIMIT = '128M';

/** Debian's and npm's places. */
const PLACES: readonly (readonly [RegExp, string])[] = [
  [/^(usr\/bin\/php\d\.\d|package\/native\/php\/php)$/, 'bin/php'],
  [/^(usr\/sbin\/php-fpm\d\.\d|package\/native\/php\/php-fpm)$/, 'sbin/php-fpm'],
  [/^(?:usr\/lib\/php\/\d+|package\/native\/php\/modules)\/([\w-]+\.so)$/, 'modules/$1'],
  [/^package\/native\/lib\/([^/]+\.so[\d.]*)$/, 'lib/$1'],
];

function place(path: string): string | undefined {
  for (const [pattern, to] of PLACES) if (pattern.test(path)) return path.replace(pattern, to);
  return undefined;
}

/**
 * Installs PHP with the extensions that are asked for.
 *
 * @throws BuildpackFailure naming extensions that it lacks, with those that there are.
 */
export async function installPhp(
  context: StepContext,
  php: Dependency,
  wanted: ReadonlyMap<string, string>,
): Promise<void> {
  const { dep, dependencies, env, log } = context;
  const home = dep.at('php');
  const options = { pick: place, executable: ['bin/*', 'sbin/*'] };
  await dependencies.install(php, home, options);
  if (php.uri.startsWith('debian')) {
    const chosen = { php: php.version };
    await dependencies.installAll(context.chooseGroup('php', chosen), home, options);
    for (const entry of extensionPackages(context, php, wanted)) {
      await dependencies.install(entry, home, options);
    }
  }
  const programs = ['bin/php', 'sbin/php-fpm'].map((name) => join(home, name));
  await demandLibc(`PHP ${php.version}`, programs);
  const installed = (await readdir(join(home, 'modules'))).map((name) => basename(name, '.so')).sort();
  const on = enabled(installed, wanted);
  const files = on.map((name) => join(home, 'modules', `${name}.so`));
  const missing = await installLibraries(context, { from: [...programs, ...files], into: join(home, 'lib') });
  await writeIni(context, on);
  await writeWrapper(context);
  const asked = await output([dep.at('bin/php'), '-m'], { cwd: '/', env });
  if (!asked.ok) {
    const lacks = missing.length === 0 ? '' : `: it lacks ${missing.join(', ')}`;
    throw new BuildpackFailure(
      `PHP ${php.version} does not run on stack ${env['CF_STACK'] ?? 'unknown'}${lacks}`,
      {
        next: 'See its output above. It needs glibc 2.34 or newer (Debian 12, Ubuntu 22.04).',
      },
    );
  }
  const has = asked.stdout.toLowerCase().replaceAll('zend opcache', 'opcache').split('\n');
  demandExtensions(php, wanted, { has, installed });
  log.info(`Extensions: ${on.join(', ')}`);
}

function extensionPackages(
  context: StepContext,
  php: Dependency,
  wanted: ReadonlyMap<string, string>,
): Dependency[] {
  const prefix = `php${php.version.replace(/\.\d+$/, '')}-`;
  const suffixes = new Set([...STANDARD_PACKAGES, ...[...wanted.keys()].map(packageOf)]);
  // What these need of each other.
  if (suffixes.has('redis') || suffixes.has('memcached')) suffixes.add('igbinary');
  if (suffixes.has('memcached')) suffixes.add('msgpack');
  const names = new Set(context.manifest.dependencies.map(({ name }) => name));
  return [...suffixes].flatMap((suffix) =>
    names.has(prefix + suffix) ? [context.choose(prefix + suffix, '*', { php: php.version })] : [],
  );
}

/** php.ini and conf.d; the folder of extensions is only known at run time. */
async function writeIni({ buildDir, dep }: StepContext, extensions: readonly string[]): Promise<void> {
  const scan = dep.at('php/etc/conf.d');
  await mkdir(scan, { recursive: true });
  const standard = {
    extension_dir: `"\${PHP_EXTENSION_DIR}"`,
    expose_php: 'Off',
    display_errors: 'Off',
    log_errors: 'On',
    variables_order: '"EGPCS"',
    memory_limit: MEMORY_LIMIT,
    upload_max_filesize: '32M',
    post_max_size: '40M',
    'date.timezone': 'UTC',
  };
  const lines = Object.entries(standard).map(([name, value]) => `${name} = ${value}\n`);
  await writeFile(dep.at('php/etc/php.ini'), lines.join(''));
  const loads = extensions.map((name) =>
    ['opcache', 'xdebug'].includes(name) ? `zend_extension = ${name}\n` : `extension = ${name}\n`,
  );
  await writeFile(join(scan, '10-extensions.ini'), loads.join(''));
  for (const [index, file] of (await iniFiles(buildDir)).entries()) {
    const text = (await readText(buildDir, file)) ?? '';
    const own = text
      .split('\n')
      // Those are switched on above; the folder is another one here.
      .filter((line) => !/^\s*(zend_)?extension(_dir)?\s*=/.test(line))
      .join('\n')
      .replaceAll(/[@#](\{HOME\})/g, '$$$1');
    await writeFile(join(scan, `20-${index}-${basename(file)}`), own);
  }
}

/** Only PHP is to see its libraries. */
async function writeWrapper({ dep }: StepContext): Promise<void> {
  await mkdir(dirname(dep.at('bin/php')), { recursive: true });
  const script = `#!/bin/sh
here=$(cd "$(dirname "$0")/../php" && pwd -P)
export PHP_EXTENSION_DIR="$here/modules" PHPRC="\${PHPRC:-$here/etc}" PHP_INI_SCAN_DIR="\${PHP_INI_SCAN_DIR:-$here/etc/conf.d}"
LD_LIBRARY_PATH="$here/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$here/bin/php" "$@"
`;
  await writeFile(dep.at('bin/php'), script, { mode: 0o755 });
}
