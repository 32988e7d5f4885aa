/** What an app says about itself: .bp-config/options.json, composer.json, composer.lock, variables. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BuildpackFailure, type Env, isThere, type Log, readJson } from '../../kit/index.ts';
import { wrongShapes } from '../../kit/shape.ts';

const names = z.array(z.string());
const optionsSchema = z.looseObject({
  PHP_VERSION: z.string().optional(),
  WEB_SERVER: z.enum(['httpd', 'nginx', 'none'], { error: 'has to be nginx, httpd or none' }).optional(),
  WEBDIR: z.string().optional(),
  PHP_EXTENSIONS: names.default([]),
  ZEND_EXTENSIONS: names.default([]),
  COMPOSER_VENDOR_DIR: z.string().optional(),
  COMPOSER_INSTALL_OPTIONS: z.union([names, z.string().transform((text) => text.split(/\s+/))]).optional(),
  APP_START_CMD: z.string().optional(),
});
const requires = z.record(z.string(), z.string());
/** Composer writes an empty map as []. */
const requiresOrNothing = z.union([
  requires,
  z.array(z.never()).transform((): Record<string, string> => ({})),
]);
const composerSchema = z.looseObject({
  require: requires.default({}),
  config: z.looseObject({ 'vendor-dir': z.string().optional() }).default({}),
  scripts: z.record(z.string(), z.unknown()).default({}),
  repositories: z.unknown().optional(),
});
const lockSchema = z.looseObject({
  packages: z.array(
    z.looseObject({
      name: z.string(),
      version: z.string(),
      require: requiresOrNothing.default({}),
    }),
  ),
  platform: requiresOrNothing.default({}),
});

/** composer.json. */
export type Composer = z.output<typeof composerSchema>;
/** composer.lock. */
export type Lock = z.output<typeof lockSchema>;
/** options.json, with variables of the same names over it. */
export type Options = z.output<typeof optionsSchema>;

/** All of it. */
export interface Settings {
  readonly options: Options;
  readonly composer: Composer | undefined;
  readonly lock: Lock | undefined;
  readonly vendorDir: string;
}

const KNOWN = new Set(Object.keys(optionsSchema.shape));
const VARIABLES = ['WEB_SERVER', 'WEBDIR', 'PHP_VERSION', 'APP_START_CMD', 'COMPOSER_VENDOR_DIR'];

/** @throws BuildpackFailure naming what is wrong in which file. */
export async function readSettings(dir: string, env: Env): Promise<Settings> {
  const file = '.bp-config/options.json';
  const written = await check(dir, file, z.record(z.string(), z.unknown()));
  const variables = Object.fromEntries(
    VARIABLES.flatMap((name) => (env[name] === undefined || env[name] === '' ? [] : [[name, env[name]]])),
  );
  const options = parse(optionsSchema, { ...written, ...variables }, file);
  const composer = await check(dir, 'composer.json', composerSchema);
  const lock = composer === undefined ? undefined : await check(dir, 'composer.lock', lockSchema);
  const vendorDir = options.COMPOSER_VENDOR_DIR ?? composer?.config['vendor-dir'] ?? 'vendor';
  for (const [name, path] of [
    ['WEBDIR', options.WEBDIR],
    ['the vendor folder', vendorDir],
  ] as const) {
    if (path !== undefined && (path.startsWith('/') || path.split('/').includes('..'))) {
      throw new BuildpackFailure(`${name} is ${path}, which is outside the app`, {
        next: 'Name a folder of the app, such as public.',
      });
    }
  }
  return { options, composer, lock, vendorDir };
}

async function check<T>(dir: string, file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const value = await readJson(dir, file);
  return value === undefined ? undefined : parse(schema, value, file);
}

function parse<T>(schema: z.ZodType<T>, value: unknown, file: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BuildpackFailure(`${file} is not valid:\n${wrongShapes(parsed.error, value, file).join('\n')}`, {
    next: 'Correct these lines.',
  });
}

/** The document root, relative to the app; nothing is moved. */
export async function webRoot(dir: string, { options }: Settings): Promise<string> {
  if (options.WEBDIR !== undefined) {
    if (await isThere(join(dir, options.WEBDIR))) return options.WEBDIR;
    throw new BuildpackFailure(`WEBDIR is ${options.WEBDIR}, which does not exist`, {
      next: 'Name a folder of the app. Cloud Foundry moves all files into a WEBDIR that is missing; nothing is moved here.',
    });
  }
  for (const folder of ['public', 'web', 'htdocs']) {
    if (await isThere(join(dir, folder, 'index.php'))) return folder;
  }
  return (await isThere(join(dir, 'htdocs'))) ? 'htdocs' : '.';
}

/** Options and files for Cloud Foundry's buildpack that have no effect here. */
export async function tellIgnored(
  dir: string,
  { options }: Settings,
  { env, log }: { readonly env: Env; readonly log: Log },
): Promise<void> {
  if (/"(redis|memcached)-sessions"/.test(env['VCAP_SERVICES'] ?? '')) {
    log.warning('Services for sessions are not read: set session.save_handler in .bp-config/php/php.ini.d.');
  }
  const ignored = Object.keys(options).filter((name) => !KNOWN.has(name));
  for (const file of ['.bp-config/httpd', '.bp-config/php/php-fpm.conf', '.extensions']) {
    if (await isThere(join(dir, file))) ignored.push(file);
  }
  const nginx = await readdir(join(dir, '.bp-config/nginx')).catch(() => []);
  ignored.push(
    ...nginx.filter((name) => name !== 'server-locations.conf').map((name) => `.bp-config/nginx/${name}`),
  );
  if (ignored.length > 0) log.warning(`Ignored, without effect here: ${ignored.join(', ')}`);
}
