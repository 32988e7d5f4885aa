/** Making a written file visible under its key, in one rename. */
import { link, mkdir, open, readlink, rename, rm, rmdir, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { errnoOf } from '../../../words/errors.ts';
import type { BlobKey } from '../port/blob-store.ts';
import { dataNameOfLink, dataPath, linkPath, linkText } from './layout.ts';
import { dropTemp, makeTemp } from './write.ts';

/** What file systems say that have no hard links, or no more of them to this file. */
const NO_LINKS: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EXDEV',
]);

/** Makes a directory's entries durable. File systems that can't sync a directory say EINVAL. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL') throw error;
  } finally {
    await handle.close();
  }
}

/** mkdir -p whose new entries are durable. */
export async function makeDurableDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  let made = dirname(first);
  const below = relative(made, path).split(sep);
  for (const segment of below) {
    await syncDirectory(made);
    made = join(made, segment);
  }
}

/**
 * Puts a synced temporary file in its place among the data. It keeps its temporary name as well, so that it can be
 * put there again when a sweep takes it before a key names it; where there are no hard links it is moved.
 */
export async function publishData(root: string, temp: string, name: string): Promise<void> {
  const target = dataPath(root, name);
  await makeDurableDirectory(dirname(target));
  await link(temp, target).catch((error: unknown) => {
    if (!NO_LINKS.has(errnoOf(error) ?? '')) throw error;
    return rename(temp, target);
  });
  await syncDirectory(dirname(target));
}

/** A directory in the place of data is nobody's. */
export async function removeData(root: string, name: string): Promise<void> {
  await rm(dataPath(root, name), { force: true, recursive: true });
}

/** The data name a key points to now, or undefined when the key is absent. */
export async function readKey(root: string, key: BlobKey): Promise<string | undefined> {
  try {
    return dataNameOfLink(await readlink(linkPath(root, key)));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'EINVAL') return undefined;
    throw error;
  }
}

/** Points a key to its data, which is removed when that can't be done. */
export async function publishKey(root: string, key: BlobKey, name: string): Promise<void> {
  const path = linkPath(root, key);
  const text = linkText(root, key, name);
  const aside = await makeTemp(root, async (made) => {
    await symlink(text, made);
    return made;
  });
  try {
    await withDirectory(dirname(path), () => renameOver(aside, path));
    // The directory is gone when the key was deleted again already.
    await syncDirectory(dirname(path)).catch(unlessAbsent);
  } catch (error) {
    if ((await readKey(root, key)) !== name) await removeData(root, name);
    throw error;
  } finally {
    await dropTemp(aside);
  }
}

/** An empty directory in the place of a key is nobody's. */
async function renameOver(from: string, to: string): Promise<void> {
  await rename(from, to).catch(async (error: unknown) => {
    if (errnoOf(error) !== 'EISDIR') throw error;
    await rmdir(to).catch(() => {
      throw error;
    });
    await rename(from, to);
  });
}

function unlessAbsent(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT') throw error;
}

/** Runs `step` with its directory there, again when a delete removed the empty directory in between. */
async function withDirectory<T>(path: string, step: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    await makeDurableDirectory(path).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT' || attempt === 20) throw error;
    });
    try {
      return await step();
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt === 20) throw error;
    }
  }
}

/** True when the data of a key that was just published is still there. */
export async function dataExists(root: string, name: string): Promise<boolean> {
  return stat(dataPath(root, name)).then(
    () => true,
    (error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    },
  );
}

/** Removes the directories above a removed link that are empty now, up to the kind. */
export async function pruneAbove(root: string, key: BlobKey): Promise<void> {
  const top = join(root, key.kind);
  for (let path = dirname(linkPath(root, key)); path !== top; path = dirname(path)) {
    const gone = await rmdir(path).then(
      () => true,
      () => false,
    );
    if (!gone) return;
  }
}
