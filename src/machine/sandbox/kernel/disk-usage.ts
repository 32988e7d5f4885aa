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

/** Files, directories and links of one tree; hard links count once. */
export interface FileCount {
  readonly total: number;
  /** Directories that hold most of them, fullest first; paths relative to the root of the tree. */
  readonly fullest: readonly { readonly path: string; readonly files: number }[];
}

const DEPTH = 3;
const NAMED = 5;
/** A child that holds this much of its parent is named instead of it. */
const DOMINANT = 0.8;
/** Directories below these are never named; bounds what is kept of a tree with many directories. */
const NOTABLE_BYTES = 1024 * 1024;
const NOTABLE_FILES = 100;

/** Measures `root`. Files that vanish meanwhile are fine; after an abort it is what was seen until then. */
export async function measureDisk(root: string, signal?: AbortSignal): Promise<DiskUsage> {
  const how = { flag: '-k', factor: 1024, notable: NOTABLE_BYTES, signal } as const;
  const { total, most } = await measure(root, how);
  return { totalBytes: total, largest: most.map(({ path, amount }) => ({ path, sizeBytes: amount })) };
}

/** Counts what is below `root`, itself included; 0 where du is one that can't count. */
export async function countFiles(root: string, signal?: AbortSignal): Promise<FileCount> {
  const how = { flag: '--inodes', factor: 1, notable: NOTABLE_FILES, signal } as const;
  const { total, most } = await measure(root, how);
  return { total, fullest: most.map(({ path, amount }) => ({ path, files: amount })) };
}

interface Measure {
  readonly flag: '-k' | '--inodes';
  /** What du's number is multiplied by. */
  readonly factor: number;
  /** Amount from which a directory may be named. */
  readonly notable: number;
  readonly signal: AbortSignal | undefined;
}

interface Measured {
  readonly total: number;
  readonly most: readonly { readonly path: string; readonly amount: number }[];
}

async function measure(root: string, { flag, factor, notable, signal }: Measure): Promise<Measured> {
  const child = execa('du', ['-x', flag, '-d', String(DEPTH), '.'], {
    cwd: root,
    env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
    extendEnv: false,
    stdin: 'ignore',
    stderr: 'ignore',
    buffer: false,
    reject: false,
    ...(signal !== undefined && { cancelSignal: signal, forceKillAfterDelay: 100 }),
  });
  const amounts = new Map<string, number>();
  let total = 0;
  for await (const line of createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
    const match = /^(\d+)\t\.(?:\/(.+))?$/.exec(line);
    if (match === null) continue;
    const amount = Number(match[1]) * factor;
    const path = match[2];
    if (path === undefined) total = amount;
    else if (amount >= notable) amounts.set(path, amount);
  }
  await child;
  return { total, most: mostTelling(amounts) };
}

/** Top-level directories, each replaced by a child that holds nearly all of it. */
export function mostTelling(amounts: ReadonlyMap<string, number>): Measured['most'] {
  const children = new Map<string, string[]>();
  for (const path of amounts.keys()) {
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    children.set(parent, [...(children.get(parent) ?? []), path]);
  }
  const amountOf = (path: string): number => amounts.get(path) ?? 0;
  const descend = (path: string): string => {
    const heir = children.get(path)?.find((child) => amountOf(child) >= DOMINANT * amountOf(path));
    return heir === undefined ? path : descend(heir);
  };
  return (children.get('') ?? [])
    .map(descend)
    .map((path) => ({ path, amount: amountOf(path) }))
    .sort((a, b) => b.amount - a.amount)
    .slice(0, NAMED);
}

/** What is in use, and free, on a whole file system. */
export interface FileSystemUse {
  readonly bytes: number;
  readonly freeBytes: number;
  /** Files, directories and links; undefined where the file system does not count them (btrfs). */
  readonly files?: number;
  readonly freeFiles?: number;
}

/** What is in use on the whole file system that `path` is on: cheap, but everybody's. */
export async function fileSystemUse(path: string): Promise<FileSystemUse> {
  const { blocks, bfree, bavail, bsize, files, ffree } = await statfs(path);
  const counted = files > 0 ? { files: files - ffree, freeFiles: ffree } : {};
  return { bytes: (blocks - bfree) * bsize, freeBytes: bavail * bsize, ...counted };
}
