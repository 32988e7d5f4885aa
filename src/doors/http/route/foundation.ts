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

/** The path that a request means: `/oauth/token` of `login.` is `/uaa/oauth/token`. */
export function meantPath(
  { systemDomain }: HttpSettings,
  { host = '', path }: { readonly host: string | undefined; readonly path: string },
): string {
  if (systemDomain === undefined || isUaaPath(path.replace(/\?.*$/s, ''))) return path;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  const isSignIn = SIGN_IN.some((part) => name === `${part}.${systemDomain.toLowerCase()}`);
  return isSignIn && path !== '/' ? `${UAA_PREFIX}${path}` : path;
}
