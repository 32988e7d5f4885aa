/**
 * Who a browser is: a cookie that scripts can't read and that other sites can't send. With our own users it is a session
 * of ours; with an external issuer it is the token itself. Only pages look at it: for the API a cookie is nobody.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { type Caller, hasScope } from '../../../service/access/caller.ts';
import {
  callerOfPageSession,
  endPageSession,
  PAGE_SESSION_HOURS,
} from '../../../service/sign-in/page-sessions.ts';
import { CfError } from '../route/cf-errors.ts';
import type { HttpService } from '../route/service.ts';

/** Browsers take the first only from https, for the whole host and from nobody else. */
const SECURE_NAME = '__Host-stager';
const PLAIN_NAME = 'stager';
/** Browsers forget cookies that are longer. */
export const LONGEST_SECRET = 3800;

/** While a browser is at the issuer. The issuer sends it back, so that it can't be one for our own pages only. */
const FLOW_NAME = 'stager-sign-in';
const FLOW_S = 600;

type Cookies = Pick<FastifyRequest, 'headers'>;

function cookiesOf({ headers }: Cookies): ReadonlyMap<string, string> {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='));
  return new Map(pairs.map(([name = '', ...value]) => [name, value.join('=')]));
}

/** A sign-in at the issuer that a browser began. */
export interface BegunFlow {
  readonly seed: string;
  /** Where it goes on to. */
  readonly next: string;
}

/** The header that has a browser remember a sign-in; without one, forget it. */
export function flowCookie(base: string, begun?: BegunFlow): string {
  const value = begun === undefined ? '' : `${begun.seed}.${Buffer.from(begun.next).toString('base64url')}`;
  const life = begun === undefined ? 0 : FLOW_S;
  const parts = [`${FLOW_NAME}=${value}`, 'Path=/sign-in', `Max-Age=${life}`, 'HttpOnly', 'SameSite=Lax'];
  return [...parts, ...(base.startsWith('https:') ? ['Secure'] : [])].join('; ');
}

export function flowOf(request: Cookies): BegunFlow | undefined {
  const found = /^([\w-]{43})\.([\w-]*)$/.exec(cookiesOf(request).get(FLOW_NAME) ?? '');
  if (found === null) return undefined;
  const [, seed = '', next = ''] = found;
  return { seed, next: Buffer.from(next, 'base64url').toString() };
}

/** What the cookie of a request says, whatever it is worth. */
export function secretOf(request: Cookies): string | undefined {
  const found = cookiesOf(request);
  const secret = found.get(SECURE_NAME) ?? found.get(PLAIN_NAME);
  return secret === undefined || !/^[\w.-]{1,4000}$/.test(secret) ? undefined : secret;
}

/** @returns undefined when nobody is signed in. */
export async function callerOfBrowser(
  request: FastifyRequest,
  { signIn, authenticator, database }: HttpService,
): Promise<Caller | undefined> {
  const secret = secretOf(request);
  if (secret === undefined) return undefined;
  const caller =
    signIn.kind === 'external'
      ? await authenticator.authenticate(secret)
      : await callerOfPageSession(database.queries, secret);
  return caller !== undefined && hasScope(caller, request.method) ? caller : undefined;
}

/** Forgets the session that a request has. */
export async function endBrowserSession(request: FastifyRequest, service: HttpService): Promise<void> {
  const secret = secretOf(request);
  if (secret !== undefined && service.signIn.kind === 'embedded') {
    await endPageSession(service.database.queries, secret);
  }
}

/** The header that gives a browser its cookie; without a secret, the one that takes it away. */
export function cookieFor(base: string, secret?: string): string {
  const isSecure = base.startsWith('https:');
  const life = secret === undefined ? 0 : PAGE_SESSION_HOURS * 3600;
  return [
    `${isSecure ? SECURE_NAME : PLAIN_NAME}=${secret ?? ''}`,
    'Path=/',
    `Max-Age=${life}`,
    'HttpOnly',
    'SameSite=Strict',
    ...(isSecure ? ['Secure'] : []),
  ].join('; ');
}

/** A form that is sent from one of our own pages: browsers say where each came from. @throws CfError. */
export function demandOwnForm({ headers }: Pick<FastifyRequest, 'headers'>, base: string): void {
  const { origin, 'sec-fetch-site': site } = headers;
  const isOwn = site === undefined || site === 'same-origin';
  // Only hosts are compared: what is in front of us may speak https for us.
  if (isOwn && origin !== undefined && URL.parse(origin)?.host === new URL(base).host) return;
  throw new CfError('NotAuthorized', 'This form was not sent from one of this server’s pages.');
}

/** What the forms of a session carry beside the cookie: only who can read its pages knows it. */
export function formTokenOf(secret: string): string {
  return createHmac('sha256', secret).update('the forms of this session').digest('base64url');
}

/** @throws CfError when the form is one of another session, or of none. */
export function demandFormToken(request: FastifyRequest, given: string): void {
  const secret = secretOf(request);
  const wanted = Buffer.from(secret === undefined ? '' : formTokenOf(secret));
  const got = Buffer.from(given);
  if (wanted.length > 0 && wanted.length === got.length && timingSafeEqual(wanted, got)) return;
  throw new CfError('NotAuthorized', 'The form has expired. Reload the page and send it again.');
}
