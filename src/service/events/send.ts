/** One request to a webhook: to an address that was checked, without redirects, and without reading what comes back. */
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { checkedLookup, type Resolve } from './checked-lookup.ts';

/** Milliseconds until the headers of the answer are there. */
const ANSWER_MS = 10_000;

export interface WebhookRequest {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly allowPrivate: boolean;
  readonly signal: AbortSignal;
  /** Whom the receiver is believed by; Node's own list, without. */
  readonly authorities?: readonly string[];
  /** The system's, without. */
  readonly resolve?: Resolve;
}

/** @returns the status. @throws StagerError CONFIG_INVALID for an address that is not allowed; what the system says. */
export async function sendWebhook(asked: WebhookRequest): Promise<number> {
  const url = new URL(asked.url);
  const lookup = await checkedLookup(url, asked.allowPrivate, asked.resolve);
  const signal = AbortSignal.any([asked.signal, AbortSignal.timeout(ANSWER_MS)]);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const send = url.protocol === 'https:' ? tlsRequest : plainRequest;
  const sent = send(url, {
    method: 'POST',
    lookup,
    signal,
    agent: false,
    headers: { ...asked.headers, 'content-length': Buffer.byteLength(asked.body) },
    ...(url.protocol === 'https:' && asked.authorities !== undefined && { ca: [...asked.authorities] }),
  });
  sent.once('error', reject);
  sent.once('response', (response) => {
    resolve(response.statusCode ?? 0);
    response.destroy();
  });
  sent.end(asked.body);
  return await promise;
}
