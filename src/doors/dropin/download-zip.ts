/** Fetches a buildpack's zip over HTTP. */
import { closeSync, constants, createWriteStream, openSync, rmSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatUrl, type GoUrl } from '../../words/go-url.ts';
import { randomNumber } from './directories.ts';
import type { DownloadContext } from './download.ts';
import { failure } from './failure.ts';
import { pathError, withPathError } from './go/errno.ts';
import { call } from './go/http.ts';
import { bodyReason } from './go/http-failures.ts';
import { join } from './go/path.ts';
import { systemRoots } from './go/system-roots.ts';
import { byteSize } from './go/text.ts';
import { extractZip } from './zip-archive.ts';

const ATTEMPTS = 4;
const ATTEMPT_MS = 10 * 60_000;
const IDLE_MS = 10_000;
const PAUSES_MS = [500, 1000, 2000];

/** Downloads the zip at `url` and unpacks it to `target`. @throws DropinFailure */
export async function downloadZip(url: GoUrl, target: string, context: DownloadContext): Promise<void> {
  const shown = formatUrl(url);
  const file = temporaryFile(context.env['TMPDIR'] ?? '', basename(url.path));
  try {
    try {
      await fetchTo(file, url, context);
    } catch (error) {
      throw failure(`Failed to download buildpack '${shown}'`, error);
    }
    const { size } = statSync(file);
    try {
      await extractZip(file, target);
    } catch (error) {
      throw failure(`Failed to extract buildpack '${shown}'`, error);
    }
    context.stdout(`Downloaded buildpack \`${shown}\` (${byteSize(size)})\n`);
  } finally {
    rmSync(file, { force: true });
  }
}

function temporaryFile(directory: string, name: string): string {
  const file = join(directory === '' ? '/tmp' : directory, `${name}${randomNumber()}`);
  try {
    closeSync(openSync(file, 'wx', 0o600));
    return file;
  } catch (error) {
    throw failure('Could not create zip file', pathError('open', file, error));
  }
}

async function fetchTo(file: string, url: GoUrl, context: DownloadContext): Promise<void> {
  const { env } = context;
  const tls = context.config.skipCertVerify ? { rejectUnauthorized: false } : { ca: [...systemRoots(env)] };
  for (let attempt = 0; ; attempt++) {
    try {
      const signal = AbortSignal.timeout(ATTEMPT_MS);
      const response = await call({ method: 'GET', url, env, tls, signal, idleMs: IDLE_MS });
      if (response.status !== 200) response.body.destroy();
      if (response.status === 304) return;
      if (response.status !== 200) throw new Error(`Download failed: Status code ${response.status}`);
      await receive(file, response.body);
      return;
    } catch (error) {
      if (attempt === ATTEMPTS - 1) throw error;
      await sleep((PAUSES_MS[attempt] ?? 0) + Math.random() * 200);
    }
  }
}

/** A body that breaks off takes the file with it, so that all later attempts fail at the file: as in the original. */
async function receive(file: string, body: Readable): Promise<void> {
  let fd: number;
  try {
    fd = withPathError('open', file, () => openSync(file, constants.O_WRONLY));
  } catch (error) {
    body.destroy();
    throw error;
  }
  try {
    await pipeline(body, createWriteStream('', { fd }));
  } catch (error) {
    rmSync(file, { force: true });
    throw new Error(bodyReason(error), { cause: error });
  }
}
