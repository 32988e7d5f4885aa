/**
 * Reads and drops what is left of a request. Clients of Cloud Controller write a whole upload before they read an
 * answer; one that finds the connection closed reports a broken pipe instead of what was wrong.
 */
import type { IncomingMessage } from 'node:http';
import { LIMITS } from './route/limits.ts';

export function drain(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  let left: number = LIMITS.drainBytes;
  const timer = setTimeout(resolve, LIMITS.drainMs);
  const count = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left < 0) resolve();
  };
  request.unpipe();
  request
    .on('data', count)
    .once('end', resolve)
    .once('error', () => resolve())
    .once('close', resolve);
  request.resume();
  return promise.finally(() => {
    clearTimeout(timer);
    request.off('data', count);
  });
}
