/**
 * What layers are made of. Times, owners and parents are fixed, so that equal trees are equal layers: every time is
 * 1980-01-01T00:00:01Z, as in images of Cloud Native Buildpacks.
 */
import type { EntrySource } from '../droplet/pack/tarball.ts';
import type { TarOwner } from '../droplet/tar/tar-header.ts';
import { type ContentRoot, type TreeEntry, walkRoots } from '../droplet/tar/tree-walk.ts';

/** One layer that is to be packed. */
export interface LayerPlan {
  /** For the image's history. */
  readonly title: string;
  readonly entries: EntrySource;
}

/** Seconds: 1980-01-01T00:00:01Z. */
export const LAYER_TIME = 315_532_801;
/** Owner of what no process may change. */
export const ROOT_OWNER: TarOwner = { uid: 0, gid: 0, user: '', group: '' };
/** Owner of a droplet's files. */
export const VCAP_OWNER: TarOwner = { uid: 2000, gid: 2000, user: '', group: '' };
/** Home directory of a droplet, without the slash at its begin. */
export const IMAGE_HOME = 'home/vcap';

/** A directory of the host as a layer, with those above it; `leaveOut` is asked for names in the archive. */
export function treeLayer(
  tree: { readonly from: string; readonly to: string },
  leaveOut: (name: string) => boolean = () => false,
): EntrySource {
  return (onSkipped, atEnd) => {
    const roots: readonly ContentRoot[] = [{ kind: 'tree', hostPath: tree.from, archivePath: tree.to }];
    const walk = walkRoots(roots, { onSkipped, atEnd, leaveOut, sourceDateEpoch: LAYER_TIME });
    return chainEntries(parentEntries(tree.to), ofVcap(walk));
  };
}

/** The directories above `path`, which are the same in every layer. */
function* parentEntries(path: string): Generator<TreeEntry> {
  const parts = path.split('/').slice(0, -1);
  for (const [index] of parts.entries()) {
    const name = `${parts.slice(0, index + 1).join('/')}/`;
    yield directoryEntry(latinName(name), index === 0 ? ROOT_OWNER : VCAP_OWNER);
  }
}

function* ofVcap(entries: Iterable<TreeEntry>): Generator<TreeEntry> {
  for (const entry of entries) yield { ...entry, owner: VCAP_OWNER };
}

/** One after the other. */
export function* chainEntries(...all: readonly Iterable<TreeEntry>[]): Generator<TreeEntry> {
  for (const entries of all) yield* entries;
}

/** A directory that everybody may read; the name ends with a slash. */
export function directoryEntry(name: string, owner: TarOwner): TreeEntry {
  return { name, type: 'directory', mode: 0o755, size: 0, mtime: LAYER_TIME, link: '', host: '', owner };
}

/** A file of ours, which is root's. */
export function textEntry(name: string, text: string, mode: number): TreeEntry {
  const content = Buffer.from(text);
  return { ...directoryEntry(name, ROOT_OWNER), type: 'file', mode, size: content.length, content };
}

/** A symbolic link of ours, which is root's. */
export function linkEntry(name: string, link: string): TreeEntry {
  return { ...directoryEntry(name, ROOT_OWNER), type: 'symlink', mode: 0o777, link };
}

/** A name as entries have it: its bytes. */
export const latinName = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
