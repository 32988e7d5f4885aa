/** A response that is read as it comes, with a new token when the old one is no longer accepted. */
import type { Readable } from 'node:stream';
import { StagerError } from '../words/errors.ts';
import { notSignedIn, type RemoteParts, unreachable } from './http.ts';

/** What is asked for, and what it is called in a failure. */
export interface StreamRequest {
  readonly url: string;
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The body of an answer with status 200. @throws StagerError SERVER_UNAVAILABLE, NOT_SIGNED_IN. */
export async function openStream(parts: RemoteParts, request: StreamRequest): Promise<Readable> {
  const { url, what } = request;
  const token = await parts.tokens.current();
  let { status, body } = await answerTo(parts, request, token);
  if (status === 401) {
    body.destroy();
    const renewed = await parts.tokens.renew(token);
    if (renewed === undefined) throw notSignedIn(url, '');
    ({ status, body } = await answerTo(parts, request, renewed));
  }
  if (status === 200) return body;
  body.destroy();
  if (status === 401) throw notSignedIn(url, '');
  throw new StagerError('SERVER_UNAVAILABLE', `${what} can't be read (${status})`, {
    next: 'Try again; the log of the server has more.',
  });
}

async function answerTo(
  { http, signal }: RemoteParts,
  { url, headers }: StreamRequest,
  token: string,
): Promise<{ readonly status: number; readonly body: Readable }> {
  const body = http.stream(url, {
    headers: { ...headers, authorization: `bearer ${token}` },
    throwHttpErrors: false,
    signal,
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  body.once('response', ({ statusCode }: { readonly statusCode: number }) => resolve(statusCode));
  body.once('error', (error: Error) => reject(unreachable(url, error)));
  return { status: await promise, body };
}
