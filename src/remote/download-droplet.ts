/** A droplet of a server as a file here. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { outputError } from '../machine/host/output-file.ts';
import { asidePath } from '../machine/host/process-label.ts';
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
  const aside = asidePath(file);
  const digest = createHash('sha256');
  try {
    const body = await openStream(parts, { url: location, what: 'the droplet' });
    body.on('data', (piece: Buffer) => digest.update(piece));
    await pipeline(body, createWriteStream(aside, { flags: 'wx', mode: 0o644 }), { signal: parts.signal });
    if (digest.digest('hex') !== record.droplet.sha256.toString()) throw damaged(location);
    await using handle = await open(aside, 'r+');
    await handle.sync();
    await rename(aside, file);
  } catch (error) {
    await rm(aside, { force: true });
    throw outputError(file, error);
  }
}

function damaged(location: string): StagerError {
  return new StagerError('BLOB_CORRUPT', 'what was downloaded is not the droplet that was staged', {
    next: 'Try again; if it happens again, run stager blobs verify on the server.',
    details: { location },
  });
}
