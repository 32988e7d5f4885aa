/** Packages of Composer: those that the app carries, else an installation. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BuildpackFailure, isThere, readJson, readText, run, type StepContext } from '../../kit/index.ts';
import type { Lock, Settings } from './settings.ts';

const installedSchema = z.object({
  packages: z.array(z.object({ name: z.string(), version: z.string() })),
});

/** What is in the vendor folder against the lock: nothing to do, or what is missing. */
export async function vendored(
  dir: string,
  { vendorDir, lock }: Settings,
): Promise<{ readonly complete: boolean; readonly missing: readonly string[] }> {
  if (!(await isThere(join(dir, vendorDir, 'autoload.php')))) return { complete: false, missing: [] };
  const file = join(vendorDir, 'composer/installed.json');
  const value = await readJson(dir, file);
  const parsed = installedSchema.safeParse(value);
  if (value !== undefined && !parsed.success) {
    throw new BuildpackFailure(`${file} has no list of packages`, {
      next: 'Run composer install --no-dev and commit the vendor folder again.',
    });
  }
  const has = new Map((parsed.data?.packages ?? []).map(({ name, version }) => [name, version]));
  const missing = (lock?.packages ?? []).filter(({ name, version }) => has.get(name) !== version);
  return {
    complete: missing.length === 0,
    missing: missing.map(({ name, version }) => `${name} ${version}`),
  };
}

/** Said before Composer says it obscurely: composer.json was changed and the lock was not. */
export async function tellDrift(
  context: Pick<StepContext, 'buildDir' | 'log'>,
  lock: Lock | undefined,
): Promise<void> {
  const { buildDir, log } = context;
  if (lock === undefined) {
    log.warning('There is no composer.lock: the next staging may install other versions.');
    return;
  }
  const stated = lock['content-hash'];
  const text = await readText(buildDir, 'composer.json');
  if (typeof stated !== 'string' || text === undefined || contentHash(text) === stated) return;
  log.warning(
    'composer.lock does not belong to this composer.json: run composer update --lock and commit it.',
  );
}

const RELEVANT = [
  ...['name', 'version', 'require', 'require-dev', 'conflict', 'replace', 'provide', 'minimum-stability'],
  ...['prefer-stable', 'repositories', 'extra'],
];

/** As Composer computes it: the md5 of PHP's JSON of the keys that matter, in order of their names. */
export function contentHash(text: string): string {
  const json = z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  const relevant: Record<string, unknown> = {};
  for (const key of RELEVANT) if (json[key] !== undefined) relevant[key] = json[key];
  const platform = z.object({ config: z.object({ platform: z.unknown() }) }).safeParse(json).data
    ?.config.platform;
  if (platform !== undefined) relevant['config'] = { platform };
  const sorted = Object.fromEntries(Object.entries(relevant).sort(([a], [b]) => (a < b ? -1 : 1)));
  const asPhp = JSON.stringify(sorted, (_key, value: unknown) =>
    // PHP knows one kind of empty array.
    typeof value === 'object' && value !== null && Object.keys(value).length === 0 ? [] : value,
  )
    .replaceAll('/', '\\/')
    .replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return createHash('md5').update(asPhp).digest('hex');
}

/** Runs `composer install`. */
export async function composerInstall(context: StepContext, { options, vendorDir }: Settings): Promise<void> {
  const { buildDir, cacheDir, dep, env, log } = context;
  await installComposer(context);
  const home = join(cacheDir, 'composer');
  await mkdir(home, { recursive: true });
  const mirror = env['STAGER_COMPOSER_MIRROR'] ?? '';
  const config =
    mirror === '' ? {} : { repositories: [{ type: 'composer', url: mirror }, { 'packagist.org': false }] };
  await writeFile(join(home, 'config.json'), JSON.stringify(config));
  const extra = options.COMPOSER_INSTALL_OPTIONS ??
    env['COMPOSER_INSTALL_OPTIONS']?.split(/\s+/) ?? ['--no-dev'];
  log.info(`$ composer install --no-interaction ${extra.join(' ')}`);
  try {
    await run(
      [
        dep.at('bin/php'),
        dep.at('composer/bin/composer'),
        'install',
        '--no-interaction',
        '--no-progress',
        ...extra,
      ],
      {
        cwd: buildDir,
        env: {
          ...env,
          PATH: `${dep.at('bin')}:${env['PATH'] ?? ''}`,
          COMPOSER_HOME: home,
          COMPOSER_CACHE_DIR: join(home, 'cache'),
          COMPOSER_VENDOR_DIR: vendorDir,
          COMPOSER_ALLOW_SUPERUSER: '1',
          COMPOSER_AUTH: env['COMPOSER_AUTH'] ?? githubAuth(env['COMPOSER_GITHUB_OAUTH_TOKEN']),
        },
        next:
          'See the output above. Where Packagist or the hosts of archives are out of reach, name a mirror in STAGER_COMPOSER_MIRROR ' +
          'or in repositories of composer.json (COMPOSER_AUTH has its credentials), or run composer install --no-dev and add the vendor folder to the app.',
      },
    );
  } finally {
    // The mirror's address may hold credentials, and the cache outlives the staging.
    for (const path of [dep.at('composer'), join(home, 'config.json')]) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

/** The variable of Cloud Foundry's buildpack as Composer's own. */
function githubAuth(token: string | undefined): string | undefined {
  return token === undefined ? undefined : JSON.stringify({ 'github-oauth': { 'github.com': token } });
}

/** Debian's Composer is many packages that know each other by /usr/share/php. */
async function installComposer(context: StepContext): Promise<void> {
  const { dep, dependencies } = context;
  const home = dep.at('composer');
  await dependencies.installAll(context.chooseGroup('composer'), home, {
    pick: (path) =>
      /^usr\/(bin\/composer$|share\/php\/|share\/composer\/)/.test(path)
        ? path.slice('usr/'.length)
        : undefined,
  });
  for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/^(autoload\.php|composer)$|\.php$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const text = await readFile(path, 'utf8');
    if (!text.includes('/usr/share/')) continue;
    await writeFile(path, text.replaceAll('/usr/share/', `${home}/share/`));
  }
}
