/** A version that the manifest lacks, straight from the registry, with the registry's checksum. */
import { satisfies } from 'semver';
import { z } from 'zod';
import {
  BuildpackFailure,
  type Dependency,
  type Env,
  fetchText,
  hideCredentials,
  highestMatch,
  newestFirst,
  parseIntegrity,
  reasonOf,
  registryUrl,
} from '../../kit/index.ts';

const LIMIT = 64 * 1024 * 1024;

const packument = z.object({
  versions: z.record(
    z.string(),
    z.object({
      dist: z.object({ integrity: z.string().optional() }),
      // Old packages have a list here, or a text.
      engines: z.object({ node: z.string().optional() }).optional().catch(undefined),
    }),
  ),
});

/** What is wanted of the registry. */
export interface RegistryWish {
  /** The npm package. */
  readonly package: string;
  /** What people call it. */
  readonly what: string;
  /** Each has to match. */
  readonly ranges: readonly string[];
  /** The package has to run on this Node. */
  readonly node?: string;
}

/**
 * The highest version that matches.
 *
 * @throws BuildpackFailure when there is none, or when the registry can't be asked.
 */
export async function fromRegistry(wish: RegistryWish, env: Env): Promise<Dependency> {
  const { package: name, what, ranges, node } = wish;
  const versions = await versionsIn(name, what, env);
  const fitting = Object.entries(versions).flatMap(([version, { dist, engines }]) => {
    const runs = node === undefined || engines?.node === undefined || satisfies(node, engines.node);
    return runs && dist.integrity !== undefined ? [version] : [];
  });
  const matching = ranges.reduce(
    (left, range) =>
      left.filter((version) => version === range || highestMatch(range, [version]) === version),
    fitting,
  );
  const [range = '*'] = ranges;
  const version = matching.includes(range)
    ? range
    : (highestMatch(range, matching) ?? newestFirst(matching)[0]);
  const checksum = parseIntegrity((version !== undefined && versions[version]?.dist.integrity) || '');
  if (version !== undefined && checksum !== undefined) {
    return { name: what, version, uri: `npm:${name}@${version}`, checksum };
  }
  const newest = newestFirst(fitting).slice(0, 5).join(', ');
  throw new BuildpackFailure(
    `no ${what} version matches ${ranges.map((text) => `"${text}"`).join(' and ')}`,
    { next: `The registry has ${fitting.length} of them, the newest are ${newest}.` },
  );
}

async function versionsIn(name: string, what: string, env: Env) {
  const url = `${registryUrl('npm', env)}/${name.replace('/', '%2f')}`;
  try {
    return packument.parse(JSON.parse(await fetchText(url, LIMIT))).versions;
  } catch (error) {
    const why =
      error instanceof BuildpackFailure || !isAnswer(error) ? reasonOf(error) : 'it is not a registry';
    throw new BuildpackFailure(`the versions of ${what} can't be read from ${hideCredentials(url)}: ${why}`, {
      cause: error,
      next: 'Check network, proxy (https_proxy) and mirror (NPM_CONFIG_REGISTRY), or ask for a version that the buildpack knows.',
    });
  }
}

/** Something answered, but not what a registry does. */
function isAnswer(error: unknown): boolean {
  return error instanceof z.ZodError || error instanceof SyntaxError;
}
