/** Blob keys: what a name may look like, and the path that a key has in every store. */
import { StagerError } from '../../../words/errors.ts';
import type { BlobKey, BlobKind } from './blob-store.ts';

/** Every kind, in the order of a listing of everything. */
export const BLOB_KINDS = [
  'buildpack_cache',
  'buildpacks',
  'droplets',
  'packages',
  'resources',
] as const satisfies readonly BlobKind[];

const SEGMENT = /^[A-Za-z0-9._-]{1,200}$/;
const MAX_NAME_BYTES = 700;

/** True when `name` is a path of segments that a store accepts. */
function isBlobName(name: string): boolean {
  if (name.length > MAX_NAME_BYTES) return false;
  return name.split('/').every((segment) => SEGMENT.test(segment) && !/^\.+$/.test(segment));
}

/** The kind in `text`, or undefined when it is not one. */
export function parseBlobKind(text: string): BlobKind | undefined {
  return BLOB_KINDS.find((kind) => kind === text);
}

/**
 * The key in `<kind>/<name>`, as a person writes it.
 *
 * @throws StagerError USAGE when it is not one.
 */
export function parseBlobKey(text: string): BlobKey {
  const slash = text.indexOf('/');
  const kind = parseBlobKind(slash < 0 ? text : text.slice(0, slash));
  if (slash < 0 || kind === undefined) {
    throw new StagerError('USAGE', `not a blob key: ${JSON.stringify(text)}`, {
      next: `Write it as KIND/NAME, where KIND is one of ${BLOB_KINDS.join(', ')}.`,
    });
  }
  const key = { kind, name: text.slice(slash + 1) };
  checkKey(key);
  return key;
}

/** Refuses a key whose name could leave its kind. Every adapter calls it first. */
export function checkKey(key: BlobKey): void {
  if (isBlobName(key.name)) return;
  throw new StagerError('USAGE', `blob name ${JSON.stringify(key.name)} is not valid`, {
    next: 'Use segments of A-Z a-z 0-9 . _ - separated by /, none of them only dots.',
    details: { kind: key.kind, name: key.name },
  });
}

/**
 * The partition of a name: its first four characters as two directories, as Cloud Controller does
 * (staging-internals.md 3.1: `key[0..1]/key[2..3]/key`). What is not a letter or digit becomes `_`, so that the
 * partition of a short or dotted name is a plain directory too.
 */
function partitionOf(name: string): string {
  const four = name
    .slice(0, 4)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '_')
    .padEnd(4, '_');
  return `${four.slice(0, 2)}/${four.slice(2)}`;
}

/** The path of a key below a store's root: `<kind>/ab/cd/<name>`. */
export function pathOf(key: BlobKey): string {
  return `${key.kind}/${partitionOf(key.name)}/${key.name}`;
}

/** The key that has this path, or undefined when the path is not one that {@link pathOf} makes. */
export function keyOfPath(path: string): BlobKey | undefined {
  const match = /^([^/]+)\/([^/]{2})\/([^/]{2})\/(.+)$/s.exec(path);
  const kind = parseBlobKind(match?.[1] ?? '');
  const name = match?.[4] ?? '';
  if (kind === undefined || !isBlobName(name)) return undefined;
  const key = { kind, name };
  return pathOf(key) === path ? key : undefined;
}

/** The longest path below the root that every key with this prefix starts with. */
export function pathPrefixOf(kind: BlobKind, prefix: string): string {
  return prefix.length < 4 ? `${kind}/` : `${kind}/${partitionOf(prefix)}/${prefix}`;
}
