/** Where a buildpack is found on disk, by its key (buildpack-contracts.md 1.1, 1.2). */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import xxhash from 'xxhash-wasm';
import { parseUrl } from '../../words/go-url.ts';
import type { BuilderConfig } from './builder-flags.ts';
import { failure } from './failure.ts';
import { join, statWorks } from './go/path.ts';

/** Directory names by key. */
export interface BuildpackDirectories {
  /** Where the buildpack `key` goes when it is downloaded, and is looked for first. */
  target(key: string): string;
  /** Root of the buildpack `key`. @throws DropinFailure when there is none. */
  find(key: string): string;
  /** Cache directory of a buildpack that is not the last. */
  cache(key: string): string;
}

/** The directories that `config` names. */
export async function buildpackDirectories(config: BuilderConfig): Promise<BuildpackDirectories> {
  const { h64ToString } = await xxhash();
  const xx = (key: string): string => h64ToString(key).padStart(16, '0');
  const base = (key: string): string =>
    isAbsoluteUrl(key) ? config.buildpacksDownloadDir : config.buildpacksDir;
  const target = (key: string): string => join(base(key), xx(key));
  return {
    target,
    cache: (key) => join(config.buildArtifactsCacheDir, xx(key)),
    find: (key) => {
      const md5 = createHash('md5').update(key).digest('hex');
      return find(key, target(key), join(base(key), md5));
    },
  };
}

/** True for keys that are downloaded: anything with a scheme, `foo:bar` included. */
function isAbsoluteUrl(key: string): boolean {
  const parsed = parseUrl(key);
  return parsed.ok && parsed.url.scheme !== '';
}

function find(key: string, path: string, legacy: string): string {
  if (hasBin(path)) return path;
  if (hasBin(legacy)) return legacy;
  let root = path;
  let names = listed(root);
  if (names === undefined || names.length === 0) {
    root = legacy;
    names = listed(root);
  }
  // The path is named twice, the key not at all: so it is in the original.
  if (names === undefined) {
    throw failure(`Failed to read buildpack directory '${path}' for buildpack '${path}'`);
  }
  const [only, ...others] = names;
  if (only !== undefined && others.length === 0 && hasBin(join(root, only))) return join(root, only);
  throw failure(`malformed buildpack does not contain a /bin dir: ${key}`);
}

function hasBin(path: string): boolean {
  return statWorks(join(path, 'bin'));
}

function listed(path: string): readonly string[] | undefined {
  try {
    return readdirSync(path);
  } catch {
    return undefined;
  }
}
