/** The files of a download in its directory: `part` while it lasts, then `body`, each with what is known of it. */

import { readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fileDigest } from '../../../machine/host/file-digest.ts';
import { replaceFile } from '../../../machine/host/replace-file.ts';
import { parseSha256, type Sha256 } from '../../../words/ids.ts';
import { parseJson } from '../../../words/json.ts';
import { mismatch } from './download-failure.ts';

/** A verified file in the cache. */
export interface Downloaded {
  readonly path: string;
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  /** False when the cache had it. */
  readonly transferred: boolean;
}

/** What may stand in a header. Cached facts that can't are ignored: the file is fetched again. */
const headerText = z.string().regex(/^[\x20-\x7e]{1,1000}$/);
const factsSchema = z.object({
  etag: headerText.optional(),
  lastModified: headerText.optional(),
  sizeBytes: z.number().optional(),
  sha256: z.string().optional(),
});
/** What the server and we know of a file. */
export type DownloadFacts = z.infer<typeof factsSchema>;

/** What verifies a download. */
export interface Wanted {
  /** For messages; no credentials. */
  readonly key: string;
  readonly sha256?: Sha256;
}

/**
 * Verifies `part` and makes it `body`.
 *
 * @throws StagerError BUILDPACK_CHECKSUM_MISMATCH; `part` is removed then.
 */
export async function publish(request: Wanted, dir: string, facts: DownloadFacts): Promise<Downloaded> {
  const partPath = join(dir, 'part');
  const sha256 = await fileDigest(partPath);
  const { size } = await stat(partPath);
  if (request.sha256 !== undefined && request.sha256 !== sha256) {
    await rm(partPath, { force: true });
    throw mismatch(request.key, request.sha256, sha256);
  }
  await rm(join(dir, 'body.json'), { recursive: true, force: true });
  await rename(partPath, join(dir, 'body'));
  const text = JSON.stringify({ ...facts, sizeBytes: size, sha256 });
  await replaceFile(join(dir, 'body.json'), text, { durable: false });
  return { path: join(dir, 'body'), sha256, sizeBytes: size, transferred: true };
}

/** The file of an earlier download, read and hashed again: a cache is never taken on trust. */
export async function cachedBody(dir: string): Promise<Downloaded | undefined> {
  const facts = await readFacts(join(dir, 'body.json'));
  const sha256 = parseSha256(facts?.sha256 ?? '');
  const path = join(dir, 'body');
  if (facts === undefined || sha256 === undefined) return undefined;
  if ((await fileDigest(path).catch(() => undefined)) !== sha256) {
    await rm(join(dir, 'body.json'), { recursive: true, force: true });
    return undefined;
  }
  return { path, sha256, sizeBytes: facts.sizeBytes ?? 0, transferred: false };
}

/** @throws StagerError BUILDPACK_CHECKSUM_MISMATCH when it is not what is wanted. */
export function demandWanted(request: Wanted, cached: Downloaded): Downloaded {
  if (request.sha256 === undefined || request.sha256 === cached.sha256) return cached;
  throw mismatch(request.key, request.sha256, cached.sha256);
}

/** What is known of `part` or `body`; undefined when nothing is. */
export async function readFacts(path: string): Promise<DownloadFacts | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : factsSchema.safeParse(parseJson(text)).data;
}
