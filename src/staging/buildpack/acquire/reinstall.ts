/** Fetches the files of an installed buildpack again from their source. */
import { isAbsolute, join } from 'node:path';
import { isStagerError } from '../../../words/errors.ts';
import { parseReference } from '../contract/reference.ts';
import type { HeldTree } from './content-store.ts';
import type { FetchableReference, FetchIo } from './fetch.ts';
import type { InstalledBuildpack } from './registry.ts';
import { filesGone } from './registry-failure.ts';
import type { ResolveParts } from './resolve.ts';

/**
 * Fetches the source of an installed buildpack again. Only the very same tree is taken: another one is an update, which
 * a person decides.
 *
 * @throws StagerError BUILDPACK_NOT_FOUND when its source gives it no more.
 */
export async function reinstalled(
  buildpack: InstalledBuildpack,
  parts: Pick<ResolveParts, 'fetcher' | 'shipped'>,
  io: FetchIo,
): Promise<HeldTree> {
  const reference = sourceOf(buildpack.source, parts.shipped);
  if (reference === undefined) throw filesGone(buildpack, 'nothing says where they came from');
  const fetched = await parts.fetcher.fetch(reference, io).catch((error: unknown) => {
    if (!isStagerError(error) || error.code === 'CANCELLED') throw error;
    throw filesGone(buildpack, error.message);
  });
  if (fetched.lease.digest === buildpack.digest) return fetched.lease;
  await fetched.lease.release();
  throw filesGone(buildpack, `${buildpack.source} holds another version now, sha256 ${fetched.lease.digest}`);
}

/** The name of a buildpack that ships with stager, by where it was installed from; undefined for others. */
export function shippedName(source: string): string | undefined {
  return /^stager:([\w-]+)$/.exec(source)?.[1];
}

function sourceOf(source: string, shipped: string | undefined): FetchableReference | undefined {
  const name = shippedName(source);
  if (name !== undefined) {
    return shipped === undefined ? undefined : { kind: 'directory', key: source, path: join(shipped, name) };
  }
  try {
    const reference = parseReference(source, { cwd: '/' });
    if (reference.kind === 'installed') return undefined;
    return 'path' in reference && !isAbsolute(source) ? undefined : reference;
  } catch (error) {
    if (isStagerError(error)) return undefined;
    throw error;
  }
}
