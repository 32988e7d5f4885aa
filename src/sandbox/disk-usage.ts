/**
 * How much a directory tree takes on its disk, and where.
 *
 * du(1) measures: it goes down by file descriptor, so that a tree deeper than a path may be long can't hide from
 * it, counts hard links once, and does not hold up our event loop.
 */
import { statfs } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { execa } from 'execa';

/** Use of one tree. */
export interface DiskUsage {
  readonly totalBytes: number;
  /** Largest directories, largest first; paths relative to the root of the tree. */
  readonly largest: readonly { readonly path: string; readonly sizeBytes: number }[];
}

const DEPTH = 3;
const NAMED = 5;
/** A child that holds this much of its parent is named instead of it. */
const DOMINANT = 0.8;
/** Directories below this are never named; bounds what is kept of a tree with many directories. */
const NOTABLE_BYTES = 1024 * 1024;

/** Measures `root`. Files that vanish meanwhile are fine. */
export async function measureDisk(root: string, signal?: AbortSignal): Promise<DiskUsage> {
  const child = execa('du', ['-x', '-k', '-d', String(DEPTH), '.'], {
    cwd: root,
    env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
    extendEnv: false,
    stdin: 'ignore',
    stderr: 'ignore',
    buffer: false,
    reject: false,
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  const sizes = new Map<string, number>();
  let totalBytes = 0;
  for await (const line of createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
    const match = /^(\d+)\t\.(?:\/(.+))?$/.exec(line);
    if (match === null) continue;
    const bytes = Number(match[1]) * 1024;
    const path = match[2];
    if (path === undefined) totalBytes = bytes;
    else if (bytes >= NOTABLE_BYTES) sizes.set(path, bytes);
  }
  await child;
  return { totalBytes, largest: mostTelling(sizes) };
}

/** Top-level directories, each replaced by a child that holds nearly all of it. */
export function mostTelling(sizes: ReadonlyMap<string, number>): DiskUsage['largest'] {
  const children = new Map<string, string[]>();
  for (const path of sizes.keys()) {
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    children.set(parent, [...(children.get(parent) ?? []), path]);
  }
  const sizeOf = (path: string): number => sizes.get(path) ?? 0;
  const descend = (path: string): string => {
    const heir = children.get(path)?.find((child) => sizeOf(child) >= DOMINANT * sizeOf(path));
    return heir === undefined ? path : descend(heir);
  };
  return (children.get('') ?? [])
    .map(descend)
    .map((path) => ({ path, sizeBytes: sizeOf(path) }))
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
    .slice(0, NAMED);
}

/** Bytes in use on the whole file system that `path` is on: cheap, but everybody's. */
export async function fileSystemUse(path: string): Promise<number> {
  const { blocks, bfree, bsize } = await statfs(path);
  return (blocks - bfree) * bsize;
}
