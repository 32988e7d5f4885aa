/** One request and its answer: no redirect is followed and nothing is tried again here. */
import type { Readable } from 'node:stream';
import type { Got } from 'got';
import { DestinationRefused, WHO_ALLOWS } from '../../machine/network/download-filter.ts';
import { cancelled, StagerError } from '../../words/errors.ts';

/** A request. */
export interface Asked {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made when it is sent. */
  readonly body?: () => Readable | Buffer;
  readonly signal: AbortSignal;
}

/** An answer whose body has to be read or destroyed. */
export interface RegistryAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Readable;
  readonly url: URL;
}

/** The connection failed, or the answer ended early. */
export class BrokenExchange extends Error {
  override readonly name = 'BrokenExchange';
}

/** @throws BrokenExchange; StagerError CANCELLED, REGISTRY_UNAVAILABLE when the rules of a server forbid the place. */
export async function sendOnce(http: Got, asked: Asked): Promise<RegistryAnswer> {
  const { method, url, signal } = asked;
  if (signal.aborted) throw cancelled(signal);
  const body = asked.body?.();
  const stream = http.stream(url, {
    method,
    ...(asked.headers !== undefined && { headers: { ...asked.headers } }),
    ...(body !== undefined && { body }),
    throwHttpErrors: false,
    followRedirect: false,
    signal,
  });
  if (body === undefined && method !== 'GET' && method !== 'HEAD') stream.end();
  try {
    const response = await new Promise<{ statusCode: number; headers: NodeJS.Dict<string | string[]> }>(
      (resolve, reject) => {
        stream.once('response', (it: { statusCode: number; headers: NodeJS.Dict<string | string[]> }) =>
          resolve(it),
        );
        stream.once('error', reject);
      },
    );
    // A late failure is reported to whoever reads the body.
    stream.on('error', () => undefined);
    const headers: Record<string, string | undefined> = {};
    for (const [name, value] of Object.entries(response.headers))
      headers[name] = Array.isArray(value) ? value.join(', ') : value;
    return { status: response.statusCode, headers, body: stream, url };
  } catch (error) {
    stream.destroy();
    if (signal.aborted) throw cancelled(signal);
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof DestinationRefused) throw refused(url, cause);
    throw new BrokenExchange(messageOf(error), { cause: error });
  } finally {
    if (body !== undefined && !Buffer.isBuffer(body)) body.on('error', () => undefined);
  }
}

/** The whole body. @throws BrokenExchange when it is longer than `limit` or breaks off. */
export async function fullBody(answer: RegistryAnswer, limit: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer.body) {
      const part = Buffer.from(chunk);
      bytes += part.length;
      if (bytes > limit) throw new TooLong(`${what} is longer than ${limit} bytes`);
      chunks.push(part);
    }
  } catch (error) {
    answer.body.destroy();
    if (error instanceof TooLong) throw error;
    throw new BrokenExchange(messageOf(error), { cause: error });
  }
  return Buffer.concat(chunks);
}

/** More than anybody may send here. */
export class TooLong extends Error {
  override readonly name = 'TooLong';
}

/** Lets an answer go whose body nobody wants. */
export async function discard(answer: RegistryAnswer): Promise<void> {
  await fullBody(answer, 65_536, 'an answer').catch(() => answer.body.destroy());
}

function refused(url: URL, { message }: DestinationRefused): StagerError {
  return new StagerError('REGISTRY_UNAVAILABLE', `the registry ${url.host} is not asked: ${message}`, {
    next: WHO_ALLOWS,
    details: { registry: url.host, reason: message },
  });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
