/** Requests to a server: JSON both ways, a new token when the old one is no longer accepted, failures in our words. */
import type { Readable } from 'node:stream';
import type { Got, OptionsInit } from 'got';
import { z } from 'zod';
import { cancelled, StagerError } from '../words/errors.ts';
import { parseJson } from '../words/json.ts';

/** Where a token comes from. */
export interface Tokens {
  /** @throws StagerError NOT_SIGNED_IN. */
  current(): Promise<string>;
  /** A new one, after `refused` was not taken; undefined when there is none. */
  renew(refused: string): Promise<string | undefined>;
}

/** What a request of ours needs. */
export interface RemoteParts {
  readonly http: Got;
  readonly tokens: Tokens;
  readonly signal: AbortSignal;
}

/** A request; `body` is sent as JSON. */
export interface Ask {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly url: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** A stream, made again for every attempt, and what it is. */
  readonly stream?: { readonly type: string; open(): Readable };
}

const Failure = z.object({ errors: z.array(z.object({ detail: z.string() })).min(1) });
const UaaFailure = z.object({ error_description: z.string() });

/** Asks, and reads the answer. @throws StagerError SERVER_UNAVAILABLE, SERVER_REFUSED, NOT_SIGNED_IN, CANCELLED. */
export async function ask<T>(parts: RemoteParts, request: Ask, schema: z.ZodType<T>): Promise<T> {
  let token = await parts.tokens.current();
  let answer = await send(parts, request, token);
  if (answer.status === 401) {
    const renewed = await parts.tokens.renew(token);
    if (renewed === undefined) throw notSignedIn(request.url, answer.text);
    token = renewed;
    answer = await send(parts, request, token);
    if (answer.status === 401) throw notSignedIn(request.url, answer.text);
  }
  return read(request.url, answer, schema);
}

/** The answer of a server as what it should be. @throws StagerError SERVER_REFUSED, SERVER_UNAVAILABLE. */
export function read<T>(url: string, answer: RemoteAnswer, schema: z.ZodType<T>): T {
  if (answer.status >= 400) throw refused(url, answer);
  const parsed = schema.safeParse(parseJson(answer.text));
  if (parsed.success) return parsed.data;
  throw new StagerError('SERVER_UNAVAILABLE', `${hostOf(url)} does not answer as a stager server does`, {
    next: 'Give the address that `stager serve` printed.',
    details: { url: withoutQuery(url), issue: parsed.error.issues[0]?.message ?? '' },
  });
}

export interface RemoteAnswer {
  readonly status: number;
  readonly text: string;
}

async function send(parts: RemoteParts, request: Ask, token: string): Promise<RemoteAnswer> {
  const { method, url, query, body, stream } = request;
  const options: OptionsInit = {
    method,
    headers: { authorization: `bearer ${token}`, accept: 'application/json' },
    ...(query !== undefined && { searchParams: query }),
    ...(body !== undefined && { json: body }),
  };
  if (stream !== undefined) {
    options.body = stream.open();
    options.headers = { ...options.headers, 'content-type': stream.type };
    // The server answers when it has read and stored all of it.
    options.timeout = { response: UPLOAD_MS };
  }
  return await exchange(parts, url, options);
}

/** Milliseconds; the server's own limit for one upload. */
const UPLOAD_MS = 30 * 60_000;

/** One exchange, whatever the status. @throws StagerError SERVER_UNAVAILABLE, CANCELLED. */
export async function exchange(
  { http, signal }: Pick<RemoteParts, 'http' | 'signal'>,
  url: string,
  options: OptionsInit,
): Promise<RemoteAnswer> {
  try {
    const response = await http(url, {
      ...options,
      signal,
      throwHttpErrors: false,
      responseType: 'text',
      decompress: true,
      isStream: false,
      resolveBodyOnly: false,
    });
    return { status: response.statusCode, text: String(response.body) };
  } catch (error) {
    if (signal.aborted) throw cancelled(signal);
    const { RequestError } = await import('got');
    if (error instanceof RequestError) throw unreachable(url, error);
    throw error;
  }
}

/** The failure of a server that does not answer. */
export function unreachable(url: string, cause: Error): StagerError {
  if (cause.cause instanceof StagerError) return cause.cause;
  return new StagerError('SERVER_UNAVAILABLE', `${hostOf(url)} does not answer: ${cause.message}`, {
    next: 'Check the address, the network and the proxy settings, and that the server is running.',
    details: { url: withoutQuery(url) },
    cause,
  });
}

/** Sentences of the API for what a staging here has codes for. */
const LOCAL_CODES = [
  {
    code: 'BUILDPACK_NOT_FOUND',
    pattern: /^Buildpack ".*" must be an existing/s,
    next: 'Give the name of a buildpack of the server, or the URL of an archive or a git repository.',
  },
  {
    code: 'STACK_NOT_FOUND',
    pattern: /^Stack must be an existing/,
    next: 'Give one of the stacks of the server.',
  },
  {
    code: 'PACKAGE_NOT_FOUND',
    pattern: /^Unable to use package/,
    next: 'Give the guid of a package on the server.',
  },
] as const;

function refused(url: string, answer: RemoteAnswer): StagerError {
  const failure = Failure.safeParse(parseJson(answer.text));
  const said = failure.success
    ? failure.data.errors.map(({ detail }) => detail).join('; ')
    : `it answers ${answer.status}`;
  const details = { url: withoutQuery(url), status: answer.status };
  if (answer.status >= 500) {
    return new StagerError('SERVER_UNAVAILABLE', `${hostOf(url)} failed: ${said}`, {
      next: 'Try again; the log of the server has more.',
      details,
    });
  }
  for (const { code, pattern, next } of LOCAL_CODES) {
    if (pattern.test(said)) return new StagerError(code, said, { next, details });
  }
  return new StagerError('SERVER_REFUSED', `${hostOf(url)} refuses: ${said}`, {
    next: 'Do what the message says, or ask the operator of the server for the permission.',
    details,
  });
}

/** What to do about a token that is not taken. */
export function notSignedIn(url: string, text: string): StagerError {
  const known = UaaFailure.safeParse(parseJson(text));
  const failure = Failure.safeParse(parseJson(text));
  const said = known.success
    ? known.data.error_description
    : failure.success
      ? (failure.data.errors[0]?.detail ?? '')
      : 'there is no token';
  return new StagerError('NOT_SIGNED_IN', `not signed in to ${hostOf(url)}: ${said}`, {
    next: `Run: stager login ${new URL(url).origin} --username NAME`,
    details: { url: withoutQuery(url) },
  });
}

export function hostOf(url: string): string {
  return new URL(url).host;
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, '');
}
