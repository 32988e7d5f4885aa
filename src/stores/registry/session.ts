/**
 * One registry: signs in when it is asked to, follows redirects without credentials, tries again what may pass, and
 * says what it could not do.
 */
import type { Got } from 'got';
import { z } from 'zod';
import type { Clock } from '../../words/clock.ts';
import { StagerError } from '../../words/errors.ts';
import { GaveUp, type RetryPolicy, withRetry } from '../../words/retry.ts';
import { authorizationOf, type Challenge, denied, fetchToken, parseChallenge } from './challenge.ts';
import type { Credential, FindCredential } from './credentials.ts';
import {
  type Asked,
  BrokenExchange,
  discard,
  fullBody,
  type RegistryAnswer,
  sendOnce,
  TooLong,
} from './exchange.ts';
import { apiHost, isLocalHost } from './reference.ts';

/** What every registry is reached with. */
export interface RegistryPorts {
  readonly http: Got;
  readonly credentials: FindCredential;
  /** Those that were given by host, which are for any download from there. */
  readonly given?: FindCredential;
  /** Hosts that may be spoken to without TLS; loopback always may. */
  readonly insecure?: readonly string[];
  /** Registry → base URLs that are asked before it, for reading. */
  readonly mirrors?: ReadonlyMap<string, readonly string[]>;
  readonly clock: Clock;
  readonly retry?: RetryPolicy;
  /** Sentences for people, such as a registry's own warnings. */
  readonly onNote?: (text: string) => void;
}

/** A request below `/v2/`, or at the address that the registry gave. */
export interface RegistryCall extends Omit<Asked, 'url' | 'signal'> {
  readonly path: string | URL;
  /** What it is allowed to do, such as `repository:app:pull,push`. */
  readonly scopes: readonly string[];
  /** Statuses that the caller knows what to do with. */
  readonly expect: readonly number[];
  /** False: a failure is reported at once. */
  readonly again?: boolean;
}

/** How long is waited for a registry. */
export const RETRY: RetryPolicy = { attempts: 5, baseMs: 500, capMs: 8000, deadlineMs: 300_000 };
const TRANSIENT: ReadonlySet<number> = new Set([408, 429, 499, 500, 502, 503, 504, 522]);
const MAX_REDIRECTS = 5;

class Busy extends Error {
  readonly waitMs: number | undefined;
  readonly answer: string;
  constructor(answer: string, waitMs: number | undefined) {
    super(answer);
    this.answer = answer;
    this.waitMs = waitMs;
  }
}

/** See the top of the file. */
export class RegistrySession {
  readonly registry: string;
  readonly base: URL;
  readonly #ports: RegistryPorts;
  readonly #signal: AbortSignal;
  #credential: Promise<Credential | undefined> | undefined;
  #challenge: Challenge | undefined;
  /** By scopes; one is fetched for all who ask at the same time. */
  readonly #tokens = new Map<string, Promise<string>>();

  /** @param base address of a mirror; the registry's own when absent. */
  constructor(registry: string, ports: RegistryPorts, signal: AbortSignal, base?: URL) {
    this.registry = base?.host ?? registry;
    this.#ports = ports;
    this.#signal = signal;
    const host = apiHost(registry);
    const plain = isLoopback(host) || (ports.insecure ?? []).includes(registry);
    this.base = base ?? new URL(`${plain ? 'http' : 'https'}://${host}/`);
  }

  /** @throws StagerError REGISTRY_UNAVAILABLE, REGISTRY_DENIED, IMAGE_INVALID, CANCELLED. */
  async call(call: RegistryCall): Promise<RegistryAnswer> {
    try {
      return await withRetry(async () => await this.#once(call), {
        policy: call.again === false ? { ...RETRY, attempts: 1 } : (this.#ports.retry ?? RETRY),
        signal: this.#signal,
        clock: this.#ports.clock,
        isTransient: (error) => error instanceof Busy || error instanceof BrokenExchange,
        retryAfterMs: (error) => (error instanceof Busy ? error.waitMs : undefined),
      });
    } catch (error) {
      if (!(error instanceof GaveUp)) throw error;
      throw this.#failure(error);
    }
  }

  async #once(call: RegistryCall): Promise<RegistryAnswer> {
    const used = this.#tokens.get(keyOf(call.scopes));
    let answer = await this.#send(call);
    // What it redirects to has no say in where credentials go.
    if (answer.status === 401 && this.#isOwn(answer.url)) answer = await this.#signIn(call, answer, used);
    this.#heed(answer);
    if (call.expect.includes(answer.status)) return answer;
    const said = await saidBy(answer);
    if (TRANSIENT.has(answer.status)) throw new Busy(said, waitOf(answer, this.#ports.clock.now()));
    const who = this.#isOwn(answer.url) ? 'it' : `${answer.url.host}, to which it sends us,`;
    if (answer.status === 401 || answer.status === 403)
      throw denied(this.registry, `${who} answered ${said}`);
    throw this.#unavailable(`it answered ${said} to ${call.method} ${answer.url.pathname}`);
  }

  /** Once more, with what the registry asked for; a second refusal is final. */
  async #signIn(
    call: RegistryCall,
    refusal: RegistryAnswer,
    used: Promise<string> | undefined,
  ): Promise<RegistryAnswer> {
    const challenge = parseChallenge(refusal.headers['www-authenticate']);
    await discard(refusal);
    if (challenge === undefined)
      throw denied(this.registry, 'it answered 401 and did not say how to sign in');
    const credential = await this.#who();
    if (challenge.scheme === 'basic' && credential === undefined)
      throw denied(this.registry, 'it requires a user name and a password');
    this.#challenge = challenge;
    const key = keyOf(call.scopes);
    if (this.#tokens.get(key) === used) this.#tokens.delete(key);
    const answer = await this.#send(call);
    if (answer.status !== 401) return answer;
    const said = await saidBy(answer);
    throw denied(
      this.registry,
      credential === undefined
        ? `it answered ${said} without credentials`
        : `it refused the credentials: ${said}`,
    );
  }

  async #send(call: RegistryCall): Promise<RegistryAnswer> {
    const { method, body, headers } = call;
    let url = typeof call.path === 'string' ? new URL(call.path.replace(/^\//, ''), this.base) : call.path;
    this.#demandSafe(url);
    for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
      const authorization = this.#isOwn(url) ? await this.#authorization(call.scopes) : {};
      const answer = await sendOnce(this.#ports.http, {
        method,
        url,
        headers: { ...headers, ...authorization },
        ...(body !== undefined && { body }),
        signal: this.#signal,
      });
      if (![301, 302, 303, 307, 308].includes(answer.status)) return answer;
      await discard(answer);
      const next = URL.parse(answer.headers['location'] ?? '', url.href);
      if (next === null) throw this.#unavailable('it redirects without an address');
      this.#demandSafe(next);
      url = next;
    }
    throw this.#unavailable(`it redirects more than ${MAX_REDIRECTS} times`);
  }

  #isOwn({ host, protocol }: URL): boolean {
    return host === this.base.host && protocol === this.base.protocol;
  }

  async #authorization(scopes: readonly string[]): Promise<{ authorization?: string }> {
    const challenge = this.#challenge;
    if (challenge === undefined) return {};
    const credential = await this.#who();
    if (challenge.scheme === 'basic' || credential?.kind === 'bearer') return authorizationOf(credential);
    const key = keyOf(scopes);
    const { registry } = this;
    const plain = this.base.protocol === 'http:';
    const wish = { challenge, credential, scopes, registry, plain };
    const token = this.#tokens.get(key) ?? fetchToken(this.#ports.http, wish, this.#signal);
    this.#tokens.set(key, token);
    return { authorization: `Bearer ${await token}` };
  }

  #who(): Promise<Credential | undefined> {
    this.#credential ??= this.#ports.credentials(this.registry);
    return this.#credential;
  }

  /** Where a registry may send us: not from TLS to none, and not from outside to this machine or its network. */
  #demandSafe(url: URL): void {
    if (!/^https?:$/.test(url.protocol) || (url.protocol === 'http:' && this.base.protocol === 'https:'))
      throw this.#unavailable(`it sends us to ${url.protocol}//${url.host}, without TLS`);
    if (isLocalHost(url.host) && !isLocalHost(this.base.host))
      throw this.#unavailable(`it sends us to the local address ${url.host}`);
  }

  #heed({ headers }: RegistryAnswer): void {
    const text = /^299 \S+ "([^"]{1,300})/.exec(headers['warning'] ?? '')?.[1];
    if (text !== undefined) this.#ports.onNote?.(`${this.registry} warns: ${text}`);
  }

  #failure({ cause, attempts, deadlineMs }: GaveUp): unknown {
    const tries = attempts === 1 ? '' : ` after ${attempts} attempts`;
    if (cause instanceof TooLong)
      return new StagerError('IMAGE_INVALID', `${this.registry}: ${cause.message}`, {
        next: 'Use another image.',
      });
    if (cause instanceof Busy) {
      const wait =
        cause.waitMs === undefined || deadlineMs === undefined
          ? ''
          : `, asking for a wait of ${Math.ceil(cause.waitMs / 1000)} s`;
      return this.#unavailable(`it answered ${cause.answer}${tries}${wait}`);
    }
    return cause instanceof BrokenExchange ? this.#unavailable(`${cause.message}${tries}`, cause) : cause;
  }

  #unavailable(why: string, cause?: unknown): StagerError {
    return new StagerError('REGISTRY_UNAVAILABLE', `the registry ${this.registry} can't be used: ${why}`, {
      next: 'Check whether it is up and reachable; if it limits requests, use a mirror (--registry-mirror) or sign in.',
      details: { registry: this.registry },
      cause,
    });
  }
}

const keyOf = (scopes: readonly string[]): string => [...scopes].sort().join(' ');

/** Only this machine's own is spoken to without TLS unasked. */
function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|[^:]*\.localhost)(:\d+)?$/.test(host);
}

const Said = z.looseObject({
  errors: z.array(z.looseObject({ code: z.string().default(''), message: z.string().nullish() })).min(1),
});

/** Status, and the first code and message if there are any. */
async function saidBy(answer: RegistryAnswer): Promise<string> {
  const bytes = await fullBody(answer, 65_536, 'an answer').catch(() => Buffer.alloc(0));
  const first = errorOf(bytes);
  return first === undefined ? String(answer.status) : `${answer.status} (${first})`;
}

function errorOf(bytes: Buffer): string | undefined {
  try {
    const [first] = Said.parse(JSON.parse(bytes.toString('utf8'))).errors;
    return first === undefined
      ? undefined
      : [first.code, first.message ?? ''].filter(Boolean).join(': ').slice(0, 300);
  } catch {
    return undefined;
  }
}

/** `Retry-After`: seconds, or a date. */
function waitOf({ headers }: RegistryAnswer, now: number): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
