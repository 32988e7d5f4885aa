/** Finds the root of a buildpack in an unpacked directory and says why there is none. */
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, StagerError } from '../../../words/errors.ts';

/**
 * The directory that holds `bin`: `dir` itself, or its only entry (buildpack-contracts.md 1.2). Cloud native
 * buildpacks may have no `bin` either; their own files count as well, so that they are refused by their name.
 *
 * @param key display key, for messages.
 * @throws StagerError BUILDPACK_MALFORMED with the reason, BUILDPACK_NOT_FOUND for no directory that can be read.
 */
export async function buildpackRoot(dir: string, key: string): Promise<string> {
  if (await isRoot(dir)) return dir;
  const names = (await readdir(dir).catch((error: unknown) => refuse(key, error))).sort();
  const [only] = names;
  if (only !== undefined && names.length === 1) {
    const inner = join(dir, only);
    // A link could make a directory of the host the buildpack.
    if ((await lstat(inner)).isDirectory() && (await isRoot(inner))) return inner;
  }
  throw malformed(key, names);
}

function refuse(key: string, cause: unknown): never {
  const errno = errnoOf(cause);
  const reasons = new Map([
    ['ENOENT', 'it does not exist'],
    ['ENOTDIR', 'it is not a directory'],
  ]);
  const reason = reasons.get(errno ?? '') ?? `it can't be read (${errno ?? 'unknown error'})`;
  throw new StagerError('BUILDPACK_NOT_FOUND', `buildpack ${key} can't be used: ${reason}`, {
    next: 'Name the directory of a buildpack; unpack an archive first.',
    details: { buildpack: key },
    cause,
  });
}

async function isRoot(dir: string): Promise<boolean> {
  if ((await kindOf(join(dir, 'bin'))) === 'directory') return true;
  return (await kindOf(join(dir, 'extension.toml'))) === 'file' || (await isComposite(dir));
}

/** A composite cloud native buildpack has an order instead of `bin`. */
async function isComposite(dir: string): Promise<boolean> {
  return (await kindOf(join(dir, 'buildpack.toml'))) === 'file';
}

async function kindOf(path: string): Promise<'file' | 'directory' | undefined> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isDirectory() === true) return 'directory';
  return facts?.isFile() === true ? 'file' : undefined;
}

/** BUILDPACK_MALFORMED for a Cloud Native Buildpack, which another lifecycle runs. */
export function cloudNativeRefused(key: string): StagerError {
  return new StagerError(
    'BUILDPACK_MALFORMED',
    `${key} is a cloud native buildpack, and those of Cloud Foundry and Heroku were asked for`,
    {
      next: 'Add --lifecycle cnb; if it serves two families, choose with --buildpack-api cf|heroku.',
      details: { buildpack: key, family: 'cnb' },
    },
  );
}

/** BUILDPACK_MALFORMED for a directory with these entries and no `bin`. */
export function malformed(key: string, names: readonly string[]): StagerError {
  // The layout of an image: a .cnb file.
  if (names.includes('oci-layout')) return cloudNativeRefused(key);
  const shown = names.slice(0, 8).join(', ') + (names.length > 8 ? ', …' : '');
  const found =
    names.length === 0
      ? 'it is empty'
      : `it holds ${shown}${names.length === 1 ? ' and no bin in that either' : ''}`;
  return new StagerError(
    'BUILDPACK_MALFORMED',
    `malformed buildpack does not contain a /bin dir: ${key} (${found})`,
    {
      next: 'A buildpack has bin/detect with bin/compile or bin/supply and bin/finalize at its top, or in its only directory.',
      details: { buildpack: key, entries: names.slice(0, 100) },
    },
  );
}
