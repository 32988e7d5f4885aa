/** Readers verify what they read: these streams fail instead of ending when the bytes are not the promised ones. */

import { createHash } from 'node:crypto';
import { sha256Of } from '../../../words/digest.ts';
import { StagerError } from '../../../words/errors.ts';
import type { BlobInfo, BlobKind, PutOptions } from './blob-store.ts';
import type { Digests } from './digests.ts';
import { parseBlobKind } from './key.ts';

/** The failure of a reader whose bytes are not those of the record. */
export function corrupt(location: string, what: string, details: Record<string, unknown> = {}): StagerError {
  const kind = location
    .split('/')
    .map(parseBlobKind)
    .findLast((it) => it !== undefined);
  return new StagerError('BLOB_CORRUPT', `blob ${location} is damaged: ${what}`, {
    next: `${kind === undefined ? 'Store it again' : remedyFor(kind)}; \`stager blobs verify\` says what else is damaged.`,
    details: { location, ...details },
  });
}

const REMEDIES = {
  buildpacks: 'Upload the buildpack again',
  packages: 'Create the package again (`stager package create`)',
  resources: 'Create the package again (`stager package create`): what is missing will be sent',
  droplets: 'Stage its app again',
  buildpack_cache: 'Stage its app again with --clear-cache: it gets a new one',
} satisfies Record<BlobKind, string>;

/** What a person does to have a blob of this kind again. */
export const remedyFor = (kind: BlobKind): string => REMEDIES[kind];

/**
 * Passes `chunks` on and throws BLOB_CORRUPT after the last one when size or sha256 differ from `info`. It throws
 * as soon as there are too many bytes, so a wrong length can't fill the reader's disk.
 */
export async function* verifiedChunks(
  chunks: AsyncIterable<Uint8Array>,
  info: BlobInfo,
  location: string,
): AsyncGenerator<Uint8Array, void, void> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (size > info.sizeBytes) break;
    hash.update(chunk);
    yield chunk;
  }
  if (size !== info.sizeBytes) {
    throw corrupt(location, size > info.sizeBytes ? 'longer than recorded' : 'shorter than recorded', {
      limit: info.sizeBytes,
      actual: size,
    });
  }
  const actual = sha256Of(hash);
  if (actual !== info.sha256) {
    throw corrupt(location, 'its sha256 is not the recorded one', { expected: info.sha256, actual });
  }
}

/** Refuses to publish what is not what the caller announced. */
export function checkExpected(found: Digests, options: PutOptions, location: string): void {
  const { sha256, sizeBytes } = options.expected ?? {};
  const wrongSize = sizeBytes !== undefined && sizeBytes !== found.sizeBytes;
  if (!wrongSize && (sha256 === undefined || sha256 === found.sha256)) return;
  throw new StagerError(
    'BLOB_CORRUPT',
    wrongSize
      ? `${location}: ${found.sizeBytes} bytes arrived instead of ${sizeBytes}; nothing was stored`
      : `${location}: what arrived has sha256 ${found.sha256} instead of ${sha256}; nothing was stored`,
    {
      next: 'Send it again from an intact copy.',
      details: { location, expected: options.expected, actual: found },
    },
  );
}
