/**
 * The names that a foundation's parts have below one domain: `api.`, `login.`, `uaa.`, `log-cache.`. All of them are
 * this server; who signs in is at the root of `login.` and `uaa.`, where scripts and tools expect it.
 */
import type { HttpService, HttpSettings } from './service.ts';
import { isUaaPath, UAA_PREFIX } from './uaa-error.ts';

export type FoundationPart = 'login' | 'uaa' | 'log-cache';

const SIGN_IN: readonly string[] = ['login', 'uaa'];

/** The address of a part, for whoever came to `api.` of the domain; undefined for all others. */
export function partUrl(
  { systemDomain }: HttpSettings,
  { base, part }: { readonly base: string; readonly part: FoundationPart },
): string | undefined {
  if (systemDomain === undefined) return undefined;
  const url = new URL(base);
  if (url.hostname !== `api.${systemDomain.toLowerCase()}`) return undefined;
  url.hostname = `${part}.${systemDomain}`;
  return url.origin;
}

/** Where users sign in: a part of this server, or the issuer that the server trusts. */
export function signInUrl(
  { signIn, settings }: Pick<HttpService, 'signIn' | 'settings'>,
  { base, part }: { readonly base: string; readonly part: 'login' | 'uaa' },
): string {
  if (signIn.kind === 'external') return signIn.url;
  return partUrl(settings, { base, part }) ?? `${base}${UAA_PREFIX}`;
}

/** What a browser asks for; programs that take JSON take no page. */
const WANTS_PAGE = /\btext\/html\b/i;
const WANTS_JSON = /\bapplication\/json\b/i;
/** What is below these is for programs, also when a browser opens it. */
const API_PATH = /^\/(?:v2|v3|uaa|oauth|stager|openapi)(?:[/?.]|$)/;

/** Whether a person looks, by the header Accept. */
export function wantsPage(accept = ''): boolean {
  return WANTS_PAGE.test(accept) && !WANTS_JSON.test(accept);
}

/** Whether what is not there is said on a page. */
export function missesPage(accept: string | undefined, path: string): boolean {
  return wantsPage(accept) && !API_PATH.test(path);
}

/**
 * The path that a request means: `/oauth/token` of `login.` is `/uaa/oauth/token`, and `/` of a browser is the page of
 * apps, while programs find the parts of the API there.
 */
export function meantPath(
  { systemDomain }: HttpSettings,
  {
    host = '',
    accept,
    path,
  }: { readonly host: string | undefined; readonly accept: string | undefined; readonly path: string },
): string {
  const isPage = wantsPage(accept);
  const isRoot = path === '/' || path.startsWith('/?');
  const signsIn = isSignInHost(systemDomain, host);
  if (isRoot) return isPage && !signsIn ? `/apps${path.slice(1)}` : path;
  return signsIn && !isUaaPath(path.replace(/\?.*$/s, '')) ? `${UAA_PREFIX}${path}` : path;
}

function isSignInHost(systemDomain: string | undefined, host: string): boolean {
  if (systemDomain === undefined) return false;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return SIGN_IN.some((part) => name === `${part}.${systemDomain.toLowerCase()}`);
}
