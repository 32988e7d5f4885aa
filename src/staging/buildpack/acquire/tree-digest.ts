/**
 * One digest for a directory tree, the same wherever it was unpacked: sha256 over one line an entry, in path order.
 * As in git, of a file's mode only the execute bit counts, so that umask and archive format don't matter; times and
 * owners don't count. docs/buildpacks.md describes the format.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { sha256Of } from '../../../stores/blobs/port/digests.ts';
import { throwIfCancelled } from '../../../words/errors.ts';
import type { Sha256 } from '../../../words/ids.ts';

/** First line of what is hashed. */
const FORMAT = 'stager-tree-1';

/** The digest of the tree at `root`, and how much it holds. */
export async function treeDigest(
  root: string,
  signal: AbortSignal,
): Promise<{ readonly digest: Sha256; readonly sizeBytes: number; readonly files: number }> {
  const hash = createHash('sha256').update(`${FORMAT}\n`);
  let sizeBytes = 0;
  let files = 0;
  for await (const path of paths(root, '')) {
    throwIfCancelled(signal);
    const absolute = join(root, path);
    const facts = await lstat(absolute);
    if (facts.isSymbolicLink()) {
      hash.update(line('l', path, hexOf(await readlink(absolute))));
    } else if (facts.isDirectory()) {
      hash.update(line('d', path, ''));
    } else {
      const content = createHash('sha256');
      await pipeline(createReadStream(absolute), content, { signal });
      hash.update(line((facts.mode & 0o100) === 0 ? 'f' : 'x', path, content.digest('hex')));
      sizeBytes += facts.size;
      files += 1;
    }
  }
  return { digest: sha256Of(hash), sizeBytes, files };
}

async function* paths(root: string, below: string): AsyncGenerator<string, void, undefined> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  entries.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  for (const entry of entries) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    yield path;
    if (entry.isDirectory()) yield* paths(root, path);
  }
}

/** Length first, so that no name can imitate another line. */
function line(kind: 'd' | 'f' | 'l' | 'x', path: string, content: string): string {
  return `${kind} ${Buffer.byteLength(path)} ${path} ${content}\n`;
}

function hexOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
