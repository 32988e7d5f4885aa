/** What a package may hold that a tree below a workspace can't show as a directory does. */
import { readFile } from 'node:fs/promises';
import type { LayerEntries } from './entries.ts';

/** What file systems and what is known of files can hold alike: 1970 to 2400. */
const LAST_TIME_MS = 13_569_465_600_000;
/**
 * The kernel keeps where a directory of the tree was when it is renamed, up to so many bytes; a longer path it can't
 * rename (`redirect_max` of overlayfs).
 */
const REDIRECT_MAX_FILE = '/sys/module/overlay/parameters/redirect_max';
const REDIRECT_MAX = 256;

/** Why this package has to be copied, in one phrase; undefined when it may lie below `directory` of the workspace. */
export async function whyUnfit(entries: LayerEntries, directory: string): Promise<string | undefined> {
  const set = Number(await readFile(REDIRECT_MAX_FILE, 'utf8').catch(() => ''));
  const most = (set > 0 ? set : REDIRECT_MAX) - Buffer.byteLength(`/${directory}/`);
  for (let index = 0; index < entries.size; index += 1) {
    const mtimeMs = entries.mtimeMsAt(index);
    if (mtimeMs < 0 || mtimeMs >= LAST_TIME_MS) return `the time of ${entries.pathAt(index)} is out of range`;
    if (entries.kindAt(index) === 'directory' && entries.pathBytesAt(index).length > most)
      return `the path of a directory is longer than ${most} bytes, so that it could not be renamed: ${entries.pathAt(index)}`;
  }
  return undefined;
}
