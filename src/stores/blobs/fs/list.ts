/** Walking the keys of a directory store in path order. */
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, throwIfCancelled } from '../../../words/errors.ts';
import type { BlobInfo, BlobKind, BlobName, ListOptions } from '../port/blob-store.ts';
import { keyOfPath, pathPrefixOf } from '../port/key.ts';
import { dataNameOfLink, infoOf, parseDataName } from './layout.ts';
import { checkKind } from './marker.ts';
import { dataExists } from './publish.ts';

/** Every blob of a kind. One that is deleted meanwhile may or may not be seen. */
export async function* listKind(
  root: string,
  kind: BlobKind,
  options: ListOptions,
): AsyncGenerator<BlobInfo & BlobName, void, void> {
  await checkKind(root, kind);
  const prefix = options.prefix ?? '';
  const pathPrefix = pathPrefixOf(kind, prefix);
  const start = pathPrefix.slice(0, pathPrefix.lastIndexOf('/'));
  for await (const path of walk(root, start, pathPrefix)) {
    throwIfCancelled(options.signal);
    const key = keyOfPath(path);
    if (key === undefined || !key.name.startsWith(prefix)) continue;
    const full = join(root, path);
    const [text, info] = await Promise.all([
      readlink(full).catch(() => ''),
      lstat(full).catch(() => undefined),
    ]);
    const name = dataNameOfLink(text);
    const record = parseDataName(name ?? '');
    if (name === undefined || record === undefined || info === undefined) continue;
    const blob = infoOf(key, record, info.mtimeMs);
    if (await dataExists(root, name)) yield blob;
    // A delete takes the link first: one that is still there has lost its data.
    else if (options.dangling === true && (await readlink(full).catch(() => '')) === text)
      yield { ...blob, dangling: true };
  }
}

/** Paths of links below `directory`, in the order of their bytes as whole strings, as S3 lists them. */
async function* walk(
  root: string,
  directory: string,
  pathPrefix: string,
): AsyncGenerator<string, void, void> {
  const entries = await readdir(join(root, directory), { withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  });
  const sortable = entries.map((entry) => ({
    entry,
    path: `${directory}/${entry.name}${entry.isDirectory() ? '/' : ''}`,
  }));
  sortable.sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { entry, path } of sortable) {
    if (!path.startsWith(pathPrefix) && !pathPrefix.startsWith(path)) continue;
    if (entry.isSymbolicLink()) yield path;
    else if (entry.isDirectory()) yield* walk(root, path.slice(0, -1), pathPrefix);
  }
}
