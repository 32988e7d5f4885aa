/** Which PHP: options.json, else what composer.json and all locked packages allow. */
import { satisfies } from 'semver';
import {
  BuildpackFailure,
  type Dependency,
  normaliseRange,
  type StepContext,
  versionsOf,
} from '../../kit/index.ts';
import type { Settings } from './settings.ts';

/** Composer's range as semver has it: `^8.2|^8.3`, `~8.2`, `8.3.*`, `>=8.1,<8.5`. */
export function fromComposer(text: string, where: string): string {
  const range = text
    .split(/\|\|?/)
    .map((part) =>
      part
        .trim()
        .replace(/@\w+$/, '')
        .replace(/(>=|<=|>|<|=|~|\^|!=)\s+/g, '$1')
        .split(/\s*,\s*|\s+(?!-)(?<!-\s)/)
        // What is excluded hardly matters where there is one patch of each line.
        .filter((one) => one !== '' && !one.startsWith('!='))
        .map((one) => one.replaceAll('*', 'x').replace(/^~(\d+\.\d+)$/, '^$1'))
        .join(' '),
    )
    .join(' || ');
  const clean = normaliseRange(range);
  if (clean !== undefined) return clean;
  throw new BuildpackFailure(`${where} asks for php "${text}", which is not a version range`, {
    next: 'Use something like ^8.2 or >=8.2 <8.5.',
  });
}

/** The default where it fits, since Debian patches it; else the highest that fits. */
export function choosePhp(
  context: Pick<StepContext, 'manifest' | 'env' | 'log' | 'choose'>,
  { options, composer, lock }: Settings,
): Dependency {
  const { manifest, env, log } = context;
  const listed = versionsOf(manifest, 'php', { stack: env['CF_STACK'] ?? '', arch: process.arch });
  if (options.PHP_VERSION !== undefined) {
    const line = options.PHP_VERSION.replace(/^\{PHP_(\d)(\d)_LATEST\}$/, '$1.$2.x');
    const wish = exactOrLine(line, listed);
    if (wish !== line) log.warning(`PHP ${line} is not available; the newest of its line is taken.`);
    const found = context.choose('php', wish);
    log.info(`PHP ${found.version} (PHP_VERSION)`);
    return found;
  }
  const demands = [
    { who: 'composer.json', range: composer?.require['php'] },
    ...(lock?.packages ?? []).map(({ name, require }) => ({ who: name, range: require['php'] })),
  ].flatMap(({ who, range }) =>
    range === undefined ? [] : [{ who, range: fromComposer(range, who), text: range }],
  );
  const fits = (version: string) => demands.every(({ range }) => satisfies(version, range));
  const standard = context.choose('php');
  const chosen = fits(standard.version) ? standard.version : listed.find(fits);
  if (chosen === undefined) {
    const told = demands.filter(({ range }) => !satisfies(standard.version, range));
    throw new BuildpackFailure(
      `no PHP fits all packages. Available: ${listed.join(', ')}\n${told.map(({ who, text }) => `${who} asks for ${text}`).join('\n')}`,
      { next: 'Update these packages, or ask for a PHP that is available.' },
    );
  }
  const found = context.choose('php', chosen);
  const [first] = demands;
  log.info(
    `PHP ${found.version} (${first === undefined ? 'nothing asks for one: the default' : 'composer.json and its packages'})`,
  );
  return found;
}

/** Few places have all patches: an exact one that there is not means its line. */
function exactOrLine(wish: string, listed: readonly string[]): string {
  const [, line] = /^(\d+\.\d+)\.\d+$/.exec(wish) ?? [];
  if (line === undefined || listed.includes(wish)) return wish;
  return listed.some((version) => version.startsWith(`${line}.`)) ? `${line}.x` : wish;
}
