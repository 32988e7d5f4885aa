/** Zip archives as a sequence of entries, modes and links kept. */
import { text } from 'node:stream/consumers';
import type { ArchiveEntry } from './extract.ts';

const TYPE_MASK = 0o170000;
const SYMLINK = 0o120000;

/** Gives each entry to `take`, one at a time, in the order of the central directory. */
export async function eachZipEntry(
  path: string,
  take: (entry: ArchiveEntry) => Promise<void>,
): Promise<void> {
  const { openPromise } = await import('yauzl');
  const zip = await openPromise(path, { lazyEntries: true, strictFileNames: true });
  for await (const entry of zip.eachEntry()) {
    const unix = entry.externalFileAttributes >>> 16;
    const name = entry.fileName;
    const modified = entry.getLastModDate();
    if (name.endsWith('/')) {
      await take({ path: name, kind: 'directory', mode: 0o755, sizeBytes: 0, modified });
      continue;
    }
    const body = await zip.openReadStreamPromise(entry);
    if ((unix & TYPE_MASK) === SYMLINK) {
      await take({
        path: name,
        kind: 'symlink',
        mode: 0o777,
        sizeBytes: 0,
        modified,
        target: await text(body),
      });
    } else {
      const mode = unix === 0 ? 0o644 : unix & 0o777;
      await take({ path: name, kind: 'file', mode, sizeBytes: entry.uncompressedSize, modified, body });
    }
  }
}
