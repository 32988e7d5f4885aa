/** The size of a tree as `ls` shows its files; what it takes on the disk is measured in machine/sandbox/kernel/disk-usage.ts. */
import { type Dirent, lstatSync, readdirSync, type Stats } from 'node:fs';
import { Pace } from '../../machine/host/pace.ts';

/**
 * Sums the sizes of the files below a directory while others may write to it: what vanishes meanwhile or can't be read
 * does not count, a hard-linked file counts once, and links are not followed.
 *
 * @throws StagerError CANCELLED.
 */
export async function apparentSize(directory: string, signal: AbortSignal): Promise<number> {
  const pace = new Pace(signal);
  const linked = new Set<string>();
  const ahead = [directory];
  let bytes = 0;
  for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
    for (const entry of entriesOf(next)) {
      if (pace.spent) await pace.rest();
      const path = `${next}/${entry.name}`;
      if (entry.isDirectory()) ahead.push(path);
      if (!entry.isFile()) continue;
      const facts = factsOf(path);
      if (facts === undefined) continue;
      const inode = `${facts.dev}:${facts.ino}`;
      if (facts.nlink > 1 && linked.has(inode)) continue;
      if (facts.nlink > 1) linked.add(inode);
      bytes += facts.size;
    }
  }
  return bytes;
}

function entriesOf(path: string): readonly Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

function factsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
