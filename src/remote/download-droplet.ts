/** Downloads a droplet from a server to a local file. */
import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { outputError } from '../machine/host/output-file.ts';
import { replaceFileWith } from '../machine/host/replace-file.ts';
import { StagerError } from '../words/errors.ts';
import type { StagingRecord } from '../words/staging-record.ts';
import type { RemoteParts } from './http.ts';
import { openStream } from './open-stream.ts';

/** Complete and as the build made it, or not at all. @throws StagerError BLOB_CORRUPT, CONFIG_INVALID, SERVER_UNAVAILABLE. */
export async function downloadDroplet(
  parts: RemoteParts,
  {
    location,
    record,
    file,
  }: { readonly location: string; readonly record: StagingRecord; readonly file: string },
): Promise<void> {
  const digest = createHash('sha256');
  try {
    const body = await openStream(parts, { url: location, what: 'the droplet' });
    await replaceFileWith(file, async (to) => {
      // Nothing may listen before the file is open: what flows until then is lost.
      const counted = new PassThrough().on('data', (piece: Buffer) => digest.update(piece));
      await pipeline(body, counted, to, { signal: parts.signal });
      if (digest.digest('hex') !== record.droplet.sha256.toString()) throw damaged(location);
    });
  } catch (error) {
    throw outputError(file, error);
  }
}

function damaged(location: string): StagerError {
  return new StagerError('BLOB_CORRUPT', 'what was downloaded is not the droplet that was staged', {
    next: 'Try again; if it happens again, run stager blobs verify on the server.',
    details: { location },
  });
}
