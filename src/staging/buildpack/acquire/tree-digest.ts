/**
 * One digest for a directory tree, the same wherever it was unpacked: sha256 over one line an entry, in path order.
 * As in git, of a file's mode only the execute bit counts, so that umask and archive format don't matter; times and
 * owners don't count. docs/buildpacks.md describes the format.
 */

import { createHash } from 'node:crypto';
import type { SealedEntry } from '../../../machine/host/tree-seal.ts';
import { sha256Of, sha256OfBytes } from '../../../words/digest.ts';
import type { Sha256 } from '../../../words/ids.ts';

/** First line of what is hashed. */
const FORMAT = 'stager-tree-1';

/** The digest of a tree, and how much it holds. */
export function treeDigest(entries: readonly SealedEntry[]): {
  readonly digest: Sha256;
  readonly sizeBytes: number;
  readonly files: number;
} {
  const hash = createHash('sha256').update(`${FORMAT}\n`);
  let sizeBytes = 0;
  let files = 0;
  for (const { path, kind, mode, content, sizeBytes: size } of entries) {
    if (kind === 'l') {
      hash.update(line('l', path, hexOf(content)));
    } else if (kind === 'd') {
      hash.update(line('d', path, ''));
    } else {
      hash.update(line((mode & 0o100) === 0 ? 'f' : 'x', path, content));
      sizeBytes += size;
      files += 1;
    }
  }
  return { digest: sha256Of(hash), sizeBytes, files };
}

/** Length first, so that no name can imitate another line. */
function line(kind: 'd' | 'f' | 'l' | 'x', path: string, content: string): string {
  return `${kind} ${Buffer.byteLength(path)} ${path} ${content}\n`;
}

function hexOf(text: string): string {
  return sha256OfBytes(text);
}
