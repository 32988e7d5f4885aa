/** Signing in to a registry: what a 401 requires, and the tokens that are fetched for it. */
import type { Got } from 'got';
import { z } from 'zod';
import { StagerError } from '../../words/errors.ts';
import type { Credential } from './credentials.ts';
import { fullBody, sendOnce } from './exchange.ts';
import { isLocalHost } from './reference.ts';

/** What `WWW-Authenticate` says. */
export interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  readonly parameters: ReadonlyMap<string, string>;
}

const MAX_TOKEN_BYTES = 64 * 1024;
const Token = z.looseObject({ token: z.string().optional(), access_token: z.string().optional() });

/** The first challenge that can be met; undefined when there is none. */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  const match = /(?:^|,\s*)(Basic|Bearer)\b\s*/i.exec(header ?? '');
  if (header === undefined || match === null) return undefined;
  const rest = header.slice(match.index + match[0].length);
  const parameters = new Map<string, string>();
  for (const [, name = '', quoted, bare] of rest.matchAll(/([A-Za-z_-]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))/g))
    parameters.set(name.toLowerCase(), quoted ?? bare ?? '');
  return { scheme: match[1]?.toLowerCase() === 'basic' ? 'basic' : 'bearer', parameters };
}

/** What is needed to get a token. */
export interface TokenWish {
  readonly challenge: Challenge;
  readonly credential: Credential | undefined;
  readonly scopes: readonly string[];
  readonly registry: string;
  /** True: the registry is spoken to without TLS. */
  readonly plain: boolean;
}

/** A token for the scopes. @throws StagerError REGISTRY_DENIED when the realm refuses or is not to be trusted. */
export async function fetchToken(http: Got, wish: TokenWish, signal: AbortSignal): Promise<string> {
  const { challenge, credential, scopes, registry } = wish;
  const realm = realmOf(wish);
  const service = challenge.parameters.get('service');
  const fields: [string, string][] = [
    ...(service === undefined ? [] : [['service', service] satisfies [string, string]]),
    ...scopes.map((scope): [string, string] => ['scope', scope]),
  ];
  const headers = { accept: 'application/json' };
  let answer: Awaited<ReturnType<typeof sendOnce>>;
  if (credential?.kind === 'identity') {
    const form = new URLSearchParams([
      ...fields.filter(([name]) => name !== 'scope'),
      ['scope', scopes.join(' ')],
      ['grant_type', 'refresh_token'],
      ['client_id', 'stager'],
      ['refresh_token', credential.token],
    ]);
    const type = 'application/x-www-form-urlencoded';
    const body = Buffer.from(form.toString());
    answer = await sendOnce(http, {
      method: 'POST',
      url: realm,
      headers: { ...headers, 'content-type': type },
      body: () => body,
      signal,
    });
  } else {
    for (const [name, value] of fields) realm.searchParams.append(name, value);
    const authorization = authorizationOf(credential);
    answer = await sendOnce(http, {
      method: 'GET',
      url: realm,
      headers: { ...headers, ...authorization },
      signal,
    });
  }
  const bytes = await fullBody(answer, MAX_TOKEN_BYTES, 'the answer of the token service');
  const found = Token.safeParse(answer.status === 200 ? safeJson(bytes) : undefined);
  const token = found.success ? (found.data.token ?? found.data.access_token) : undefined;
  if (token !== undefined && token !== '' && !/[\r\n]/.test(token)) return token;
  throw denied(registry, `its token service ${realm.host} answered ${answer.status}`);
}

/** The header that sends a credential as it is. */
export function authorizationOf(credential: Credential | undefined): { authorization?: string } {
  if (credential === undefined || credential.kind === 'identity') return {};
  if (credential.kind === 'bearer') return { authorization: `Bearer ${credential.token}` };
  const { username, password } = credential;
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
}

/** Credentials go to the realm, so it has to be one that a registry may name. */
function realmOf({ challenge, registry, plain }: TokenWish): URL {
  const text = challenge.parameters.get('realm') ?? '';
  const realm = URL.parse(text);
  if (realm === null || !/^https?:$/.test(realm.protocol) || realm.username !== '')
    throw denied(registry, `it names no token service: ${JSON.stringify(text.slice(0, 200))}`);
  if (realm.protocol === 'http:' && !plain)
    throw denied(registry, `its token service ${realm.host} has no TLS`);
  if (isLocalHost(realm.host) && !isLocalHost(registry))
    throw denied(registry, `its token service is at the local address ${realm.host}`);
  return realm;
}

function safeJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** REGISTRY_DENIED. */
export function denied(registry: string, why: string): StagerError {
  return new StagerError('REGISTRY_DENIED', `the registry ${registry} refused access: ${why}`, {
    next: 'Sign in with `docker login`, `skopeo login` or REGISTRY_AUTH_FILE, and check that the account may read or write there.',
    details: { registry },
  });
}
