/**
 * Downloads archives into a cache: resumed where the server lets us, tried again when it fails for a moment, verified by sha256
 * where one is given, and not fetched again while the server says that nothing changed.
 *
 * A download is a directory named by the URL's digest: `part` with `part.json` while it lasts, then `body` with
 * `body.json`. Both pairs are trusted only together.
 */
import { mkdir, open, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Got } from 'got';
import { withClaim } from '../../../machine/host/file-claim.ts';
import { removeTree } from '../../../machine/host/remove-tree.ts';
import { DestinationRefused } from '../../../machine/network/download-filter.ts';
import type { Clock } from '../../../words/clock.ts';
import { sha256OfBytes } from '../../../words/digest.ts';
import { isStagerError } from '../../../words/errors.ts';
import type { Sha256 } from '../../../words/ids.ts';
import { GaveUp, type RetryPolicy, withRetry } from '../../../words/retry.ts';
import type { Address } from '../contract/reference.ts';
import {
  cachedBody,
  type Downloaded,
  type DownloadFacts,
  demandWanted,
  publish,
  readFacts,
} from './download-cache.ts';
import { type Attempted, describe, failed, Retryable, refused, tooLarge } from './download-failure.ts';

/** Largest archive in bytes: an offline buildpack is above 1 GB, Cloud Foundry's limit for uploads is 1 GB. */
const MAX_BYTES = 4 * 1024 ** 3;
const RETRY: RetryPolicy = { attempts: 4, baseMs: 1_000, capMs: 8_000, deadlineMs: 3_600_000 };
/** The claim of a download is held while it runs. */
const CLAIM_WAIT_MS = 15 * 60_000;

/** What is asked for. */
export interface DownloadRequest {
  /** For messages; no credentials. */
  readonly key: string;
  readonly address: Address;
  /** A header for an address without credentials of its own. */
  readonly authorization?: string;
  readonly sha256?: Sha256;
  readonly maxBytes?: number;
}

/** Ports of {@link download}. */
export interface DownloadPorts {
  readonly http: Got;
  /** Directory of the cache. */
  readonly cacheDir: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told as bytes come. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
}

/**
 * Brings the file into the cache.
 *
 * @throws StagerError BUILDPACK_DOWNLOAD_FAILED, BUILDPACK_CHECKSUM_MISMATCH, CANCELLED.
 */
export async function download(request: DownloadRequest, ports: DownloadPorts): Promise<Downloaded> {
  const dir = join(ports.cacheDir, sha256OfBytes(request.address.url));
  await makeRoom(dir);
  const claim = { clock: ports.clock, signal: ports.signal, waitMs: CLAIM_WAIT_MS };
  return await withClaim(join(dir, 'lock'), claim, async () => {
    const cached = await cachedBody(dir);
    if (cached !== undefined && cached.sha256 === request.sha256) return cached;
    return await withRetry(() => attemptOnce({ request, ports, dir, cached }), {
      policy: RETRY,
      signal: ports.signal,
      clock: ports.clock,
      isTransient: (error) => error instanceof Retryable,
    }).catch((error: unknown) => {
      if (!(error instanceof GaveUp)) throw error;
      const { cause, attempts } = error;
      throw cause instanceof Retryable ? failed(request.key, { reason: cause.message, attempts }) : cause;
    });
  });
}

/** A cache's directory that is not one is worth nothing. */
async function makeRoom(dir: string): Promise<void> {
  const isDirectory = await stat(dir).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
  if (isDirectory) return;
  await removeTree(dir);
  await mkdir(dir, { recursive: true });
}

interface Attempt {
  readonly request: DownloadRequest;
  readonly ports: DownloadPorts;
  readonly dir: string;
  readonly cached: Downloaded | undefined;
}

async function attemptOnce({ request, ports, dir, cached }: Attempt): Promise<Downloaded> {
  const partPath = join(dir, 'part');
  const { have, headers } = await conditionsOf(dir, cached);
  const { response, body } = await respond(request, {
    ports,
    headers: { ...authorizationOf(request), ...headers },
  });
  if (response.statusCode === 304 && cached !== undefined) {
    body.destroy();
    return demandWanted(request, cached);
  }
  if (response.statusCode === 416) {
    body.destroy();
    await rm(partPath, { force: true });
    throw new Retryable('the server has less than was already received');
  }
  refuseStatus(request, response.statusCode, body);
  const start = response.statusCode === 206 ? have : 0;
  const length = Number(response.headers['content-length'] ?? Number.NaN);
  const total = Number.isFinite(length) ? start + length : undefined;
  const facts = factsOf(response.headers);
  await writeFile(join(dir, 'part.json'), JSON.stringify(facts));
  await receive({ request, ports, partPath, body, start, total });
  return await publish(request, dir, facts);
}

/**
 * What is asked of the server: the rest of a part whose content it can name again; else all of it, unless it is what is
 * in the cache.
 *
 * @returns the headers, and how many bytes an answer of 206 follows.
 */
async function conditionsOf(
  dir: string,
  cached: Downloaded | undefined,
): Promise<{ readonly have: number; readonly headers: Readonly<Record<string, string>> }> {
  const part = await readFacts(join(dir, 'part.json'));
  const have = (await stat(join(dir, 'part')).catch(() => undefined))?.size ?? 0;
  // A weak etag does not promise the same bytes.
  const validator = part?.etag?.startsWith('W/') === true ? undefined : (part?.etag ?? part?.lastModified);
  if (have > 0 && validator !== undefined) {
    return { have, headers: { range: `bytes=${have}-`, 'if-range': validator } };
  }
  const known = cached === undefined ? undefined : await readFacts(join(dir, 'body.json'));
  if (known?.etag !== undefined) return { have: 0, headers: { 'if-none-match': known.etag } };
  if (known?.lastModified === undefined) return { have: 0, headers: {} };
  return { have: 0, headers: { 'if-modified-since': known.lastModified } };
}

function factsOf({ etag, 'last-modified': lastModified }: NodeJS.Dict<string>): DownloadFacts {
  return { ...(etag !== undefined && { etag }), ...(lastModified !== undefined && { lastModified }) };
}

async function respond(
  request: DownloadRequest,
  { ports, headers }: { readonly ports: DownloadPorts; readonly headers: Record<string, string> },
) {
  const body = ports.http.stream(request.address.url, {
    headers,
    throwHttpErrors: false,
    signal: ports.signal,
  });
  try {
    const response = await new Promise<{ statusCode: number; headers: NodeJS.Dict<string> }>(
      (resolve, reject) => {
        body.once('response', (it: { statusCode: number; headers: NodeJS.Dict<string> }) => resolve(it));
        body.once('error', reject);
      },
    );
    return { response, body };
  } catch (error) {
    body.destroy();
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof DestinationRefused) throw refused(request.key, cause);
    throw new Retryable(describe(error));
  }
}

function refuseStatus(request: DownloadRequest, status: number, body: Attempted): void {
  if (status === 200 || status === 206) return;
  body.destroy();
  if (status === 408 || status === 429 || status >= 500) throw new Retryable(`the server answered ${status}`);
  throw failed(request.key, { reason: `the server answered ${status}`, attempts: 1, status });
}

async function receive(input: {
  readonly request: DownloadRequest;
  readonly ports: DownloadPorts;
  readonly partPath: string;
  readonly body: NodeJS.ReadableStream;
  readonly start: number;
  readonly total: number | undefined;
}): Promise<void> {
  const { request, ports, total } = input;
  const limit = request.maxBytes ?? MAX_BYTES;
  if (total !== undefined && total > limit) throw tooLarge(request.key, limit, total);
  let done = input.start;
  // Not a pipeline: that throws away what has arrived when the connection breaks, and this is what is resumed.
  const file = await open(input.partPath, input.start > 0 ? 'a' : 'w', 0o644);
  try {
    for await (const chunk of input.body) {
      const bytes = Buffer.from(chunk);
      done += bytes.length;
      if (done > limit) throw tooLarge(request.key, limit, done);
      await file.writeFile(bytes);
      ports.onProgress?.(done, total);
    }
    await file.sync();
  } catch (error) {
    throw isStagerError(error) ? error : new Retryable(describe(error));
  } finally {
    await file.close();
  }
  if (total !== undefined && done !== total)
    throw new Retryable(`the body ended after ${done} of ${total} bytes`);
}

function authorizationOf({ address, authorization }: DownloadRequest): Record<string, string> {
  if (address.credentials === undefined) return authorization === undefined ? {} : { authorization };
  const { user, password } = address.credentials;
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}
