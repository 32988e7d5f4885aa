/** What the tests of packages share. */
import { createWriteStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import yazl from 'yazl';
import { openPackage } from '../../../src/staging/package/open.ts';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import type { Guid } from '../../../src/words/ids.ts';

export const signal = new AbortController().signal;

/** Path → what a package has there: `mode content`, `dir`, or `-> target`. */
export async function contentsOf(store: BlobStore, guid: Guid): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const source = await openPackage(guid, { store, signal });
  for await (const entry of source.entries({ signal })) {
    if (entry.kind === 'symlink') found[entry.path] = `-> ${entry.target}`;
    else if (entry.kind === 'directory') found[entry.path] = 'dir';
    else if (entry.open !== undefined) {
      const body = await buffer(await entry.open());
      found[entry.path] = `${entry.mode.toString(8)} ${body.toString('latin1')}`;
    }
  }
  return found;
}

/** Every blob of a kind by name. */
export async function namesOf(
  store: BlobStore,
  kind: 'packages' | 'resources' | 'droplets',
): Promise<string[]> {
  const names: string[] = [];
  for await (const { key } of store.names(kind, { signal })) names.push(key.name);
  return names;
}

/** Writes a zip as the cf client does. */
export async function writeZip(
  path: string,
  entries: Record<string, { content?: string | Buffer; mode?: number; link?: string }>,
): Promise<void> {
  const zip = new yazl.ZipFile();
  for (const [name, { content = '', mode = 0o644, link }] of Object.entries(entries)) {
    if (link !== undefined) zip.addBuffer(Buffer.from(link), name, { mode: 0o120777 });
    else if (name.endsWith('/')) zip.addEmptyDirectory(name, { mode: 0o40755 });
    else zip.addBuffer(Buffer.from(content), name, { mode: 0o100000 | mode });
  }
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path));
}
