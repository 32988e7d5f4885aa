/** A package manager version that the manifest lacks, straight from the registry, with the registry's checksum. */
import { z } from 'zod';
import {
  BuildpackFailure,
  type Dependency,
  type Env,
  fetchText,
  highestMatch,
  parseIntegrity,
  registryUrl,
} from '../../kit/index.ts';

const LIMIT = 64 * 1024 * 1024;

const packument = z.object({
  versions: z.record(z.string(), z.object({ dist: z.object({ integrity: z.string().optional() }) })),
});

/**
 * The highest version of npm package `name` in `range`.
 *
 * @throws BuildpackFailure when there is none.
 */
export async function fromRegistry(name: string, range: string, env: Env): Promise<Dependency> {
  const url = `${registryUrl('npm', env)}/${name.replace('/', '%2f')}`;
  const { versions } = packument.parse(JSON.parse(await fetchText(url, LIMIT)));
  const version = versions[range] === undefined ? highestMatch(range, Object.keys(versions)) : range;
  const integrity = version === undefined ? undefined : versions[version]?.dist.integrity;
  const stated = parseIntegrity(integrity ?? '');
  if (version === undefined || stated === undefined) {
    throw new BuildpackFailure(`the registry has no ${name} that matches "${range}"`);
  }
  return { name, version, uri: `npm:${name}@${version}`, checksum: stated };
}
