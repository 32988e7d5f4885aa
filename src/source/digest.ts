/** One digest of everything in a source: paths, kinds, modes, link targets, contents. Times don't count. */
import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import type { Sha256 } from '../ids.ts';
import { parseSha256 } from '../ids.ts';
import type { Source, SourceEntry } from './entry.ts';

/**
 * Reads the source whole. The order of entries does not matter.
 *
 * @throws StagerError what `source.entries` throws.
 */
export async function sourceDigest(
  source: Pick<Source, 'entries'>,
  { signal }: { readonly signal: AbortSignal },
): Promise<Sha256> {
  const lines: string[] = [];
  for await (const entry of source.entries({ signal }))
    lines.push(JSON.stringify(await describe(entry, signal)));
  const digest = parseSha256(createHash('sha256').update(lines.toSorted().join('\n')).digest('hex'));
  if (digest === undefined) throw new Error('sha256 made no digest');
  return digest;
}

async function describe(entry: SourceEntry, signal: AbortSignal): Promise<readonly unknown[]> {
  switch (entry.kind) {
    case 'directory':
      return [entry.path, 'directory', entry.mode];
    case 'symlink':
      return [entry.path, 'symlink', entry.target];
    case 'file': {
      const hash = createHash('sha256');
      if (entry.open !== undefined) await pipeline(await entry.open(), hash, { signal });
      return [entry.path, 'file', entry.mode, hash.digest('hex')];
    }
  }
}
