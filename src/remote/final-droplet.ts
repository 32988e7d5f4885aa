/** The droplet of a build on a server. */
import { z } from 'zod';
import { StagerError, throwIfCancelled } from '../words/errors.ts';
import type { Guid } from '../words/ids.ts';
import { pause } from '../words/retry.ts';
import { guidText } from './guid.ts';
import { ask, type RemoteParts } from './http.ts';

const POLL_MS = 200;
const PATIENCE_MS = 15_000;

const Build = z.object({
  guid: guidText,
  state: z.enum(['STAGING', 'STAGED', 'FAILED']),
  error: z.string().nullable(),
  droplet: z.object({ guid: guidText }).nullable(),
});

/**
 * Waits for the end of the build at `url`.
 *
 * @param failure what its events told, if they told one.
 * @throws StagerError with the reason why there is no droplet.
 */
export async function finalDroplet(
  parts: RemoteParts,
  url: string,
  failure: () => StagerError | undefined = () => undefined,
): Promise<Guid> {
  let build = await ask(parts, { method: 'GET', url }, Build);
  while (build.state === 'STAGING') {
    await pause(POLL_MS, { signal: parts.signal });
    throwIfCancelled(parts.signal);
    build = await ask(parts, { method: 'GET', url }, Build);
  }
  if (build.state === 'STAGED' && build.droplet !== null) return build.droplet.guid;
  throw (
    failure() ??
    new StagerError('SERVER_REFUSED', `the build failed: ${build.error ?? 'no reason'}`, {
      next: 'The log of the build has more.',
    })
  );
}

/** Begins a build. @returns its guid. */
export async function beginBuild(parts: RemoteParts, api: string, body: object): Promise<Guid> {
  return (await ask(parts, { method: 'POST', url: `${api}/builds`, body }, Build)).guid;
}

/** Whoever cancelled does not wait for a server that does not answer. */
export async function endBuild(parts: RemoteParts, url: string): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const body = { state: 'FAILED', error: 'it was cancelled' };
  await ask({ ...parts, signal }, { method: 'PATCH', url, body }, z.unknown()).catch(() => undefined);
}
