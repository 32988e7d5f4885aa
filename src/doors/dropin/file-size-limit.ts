/** `ulimit -f`: the original copies the app before it packs it, and a file above the limit ends the copy. */
import { type Dirent, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Whether a file below `directory` is larger than this process may write. */
export function exceedsFileSizeLimit(directory: string): boolean {
  const limit = softLimit();
  return limit !== undefined && holdsLarger(directory, limit);
}

/** In bytes; undefined for none. */
function softLimit(): number | undefined {
  try {
    const [, text] = /^Max file size\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return text === undefined ? undefined : Number(text);
  } catch {
    return undefined;
  }
}

function holdsLarger(directory: string, limit: number): boolean {
  return entriesOf(directory).some((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return holdsLarger(path, limit);
    return entry.isFile() && (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0) > limit;
  });
}

/** None where they can't be read: who copies them says so. */
function entriesOf(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}
