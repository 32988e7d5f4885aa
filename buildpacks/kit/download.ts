/** One verified download: written aside, hashed on the way, renamed when it is right. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isOffline, isRecording, recordAnswer, recordedAnswer } from './bundle.ts';
import { type Checksum, hashFile } from './checksum.ts';
import { BuildpackFailure, errnoOf, reasonOf } from './failure.ts';
import { hideCredentials, type Log } from './log.ts';

/** How to download. */
export interface DownloadOptions {
  readonly log: Log;
  /** What the bytes must hash to. Without one, anything is taken: only for what is checked otherwise. */
  readonly checksum?: Checksum;
  /** Pauses before the second, third … try, in milliseconds. */
  readonly retryMs?: readonly number[];
  /** Longest time for one try, in milliseconds; default ten minutes. */
  readonly timeoutMs?: number;
  /** The file itself stays in CACHE_DIR, so that a recorded staging need not keep it twice. */
  readonly stays?: boolean;
}

/** The server answered, and the answer is final: trying again would not help. */
export class NotThere extends BuildpackFailure {
  readonly status: number;

  constructor(url: string, status: number) {
    super(`${hideCredentials(url)} answered with status ${status}`, {
      next: 'If a mirror is configured, check that it has this file.',
    });
    this.status = status;
  }
}

const PAUSES = [1000, 4000, 10_000];

/**
 * Downloads `url` to `path`. Proxies come from the usual variables (Node runs with --use-env-proxy), extra CAs
 * from NODE_EXTRA_CA_CERTS. Dropped connections, 408, 429 and 5xx are tried again.
 *
 * @throws BuildpackFailure on a wrong checksum (the file is removed) and when the tries are used up;
 *   {@link NotThere} for other statuses of 400 and above.
 */
export async function download(url: string, path: string, options: DownloadOptions): Promise<void> {
  const pauses = options.retryMs ?? PAUSES;
  for (let attempt = 0; ; attempt++) {
    try {
      return await attemptOnce(url, path, options);
    } catch (error) {
      if (error instanceof BuildpackFailure) throw error;
      const pause = isCertificateError(error) || isOffline() ? undefined : pauses[attempt];
      if (pause === undefined) throw unreachable(url, attempt + 1, error);
      options.log.info(`Download failed (${reasonOf(error)}), trying again`);
      await sleep(pause);
    }
  }
}

/** A small document, as text. Same rules as {@link download}; at most `limitBytes`. */
export async function fetchText(url: string, limitBytes: number, timeoutMs = 60_000): Promise<string> {
  const response = await get(url, timeoutMs);
  let size = 0;
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) {
    size += chunk.byteLength;
    if (size > limitBytes) {
      throw new BuildpackFailure(`${hideCredentials(url)} is larger than ${limitBytes} bytes`);
    }
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  await recordAnswer(url, body);
  return body.toString('utf8');
}

async function attemptOnce(url: string, path: string, options: DownloadOptions): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.partial-${process.pid}`;
  const algorithm = options.checksum?.algorithm ?? 'sha256';
  // A module's sum is over the files in it: it is taken when all of them are there.
  const hash = createHash(algorithm === 'h1' ? 'sha256' : algorithm);
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    const body = await get(url, options.timeoutMs ?? 600_000);
    await pipeline(Readable.from(body), hashing, createWriteStream(partial, { mode: 0o644 }));
    const actual = algorithm === 'h1' ? await hashFile(partial, algorithm) : hash.digest('hex');
    if (options.checksum !== undefined && actual !== options.checksum.digest) {
      throw wrongChecksum(hideCredentials(url), options.checksum, actual);
    }
    if (options.stays !== true && isRecording()) await recordAnswer(url, await readFile(partial));
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}

/** The failure for bytes that are not what the manifest promises. */
export function wrongChecksum(what: string, wanted: Checksum, actual: string): BuildpackFailure {
  return new BuildpackFailure(
    `${what} has the wrong checksum: ${wanted.algorithm} is ${actual}, expected ${wanted.digest}`,
    { next: 'The file was not used. Check the mirror or proxy in between, then the manifest.' },
  );
}

async function get(url: string, timeoutMs: number): Promise<AsyncIterable<Uint8Array>> {
  const recorded = await recordedAnswer(url);
  if (recorded !== undefined) {
    if ('body' in recorded) return recorded.body;
    throw new NotThere(url, recorded.status);
  }
  const target = new URL(url);
  const headers = new Headers({ 'user-agent': 'stager-buildpack-kit', 'accept-encoding': 'identity' });
  if (target.username !== '') {
    const pair = `${decodeURIComponent(target.username)}:${decodeURIComponent(target.password)}`;
    headers.set('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
    target.username = '';
    target.password = '';
  }
  const response = await fetch(target, { headers, signal: AbortSignal.timeout(timeoutMs) });
  const { status, body } = response;
  if (status >= 400) await body?.cancel();
  if (status >= 500 || status === 408 || status === 429) throw new Error(`status ${status}`);
  if (status >= 400) {
    await recordAnswer(url, { status });
    throw new NotThere(url, status);
  }
  if (body === null) throw new Error('empty answer');
  return body;
}

/** A certificate that is not trusted now will not be trusted in a second. */
function isCertificateError(error: unknown): boolean {
  const code = error instanceof Error ? (errnoOf(error.cause) ?? errnoOf(error)) : undefined;
  return /CERT|UNABLE_TO_VERIFY|ERR_TLS/.test(code ?? '');
}

function unreachable(url: string, attempts: number, cause: unknown): BuildpackFailure {
  const shown = hideCredentials(url);
  return new BuildpackFailure(`could not download ${shown} (tried ${attempts} times): ${reasonOf(cause)}`, {
    cause,
    next: 'Check network, proxy (https_proxy) and CA (NODE_EXTRA_CA_CERTS), or use an offline buildpack.',
  });
}
