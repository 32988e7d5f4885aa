/**
 * URLs as Go's net/url reads and writes them. Neither WHATWG's rules nor a regular expression will do: which
 * buildpack keys count as URLs, the text of messages and the value of DATABASE_URL hang on the differences.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { quote } from './go-quote.ts';

/** A URL in parts; texts are decoded except `rawPath` and `rawQuery`. */
export interface GoUrl {
  /** Lower case; empty for a relative reference. */
  readonly scheme: string;
  readonly opaque: string;
  readonly user: { readonly name: string; readonly password: string | undefined } | undefined;
  readonly host: string;
  /** True when there was an authority, even an empty one. */
  readonly hasAuthority: boolean;
  readonly path: string;
  readonly rawPath: string;
  readonly rawQuery: string | undefined;
  readonly fragment: string;
  readonly rawFragment: string;
}

/** The URL, or Go's message for why it is not one. */
export type UrlOutcome =
  | { readonly ok: true; readonly url: GoUrl }
  | { readonly ok: false; readonly message: string };

class UrlProblem extends Error {}

/** Parses a URL or a reference. */
export function parseUrl(raw: string): UrlOutcome {
  const hash = raw.indexOf('#');
  const body = hash < 0 ? raw : raw.slice(0, hash);
  try {
    const rawFragment = hash < 0 ? '' : raw.slice(hash + 1);
    return { ok: true, url: { ...parseBody(body), fragment: decode(rawFragment), rawFragment } };
  } catch (error) {
    if (!(error instanceof UrlProblem)) throw error;
    return { ok: false, message: `parse ${quote(body)}: ${error.message}` };
  }
}

function parseBody(raw: string): Omit<GoUrl, 'fragment' | 'rawFragment'> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
  if (/[\x00-\x1f\x7f]/.test(raw)) throw new UrlProblem('net/url: invalid control character in URL');
  if (raw.startsWith(':')) throw new UrlProblem('missing protocol scheme');
  const [, scheme = '', afterScheme = raw] = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(raw) ?? [];
  const question = afterScheme.indexOf('?');
  const rest = question < 0 ? afterScheme : afterScheme.slice(0, question);
  const rawQuery = question < 0 ? undefined : afterScheme.slice(question + 1);
  const empty = { scheme: scheme.toLowerCase(), opaque: '', user: undefined, host: '', hasAuthority: false };
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { ...empty, opaque: rest, path: '', rawPath: '', rawQuery };
    if ((rest.split('/', 1)[0] ?? '').includes(':')) {
      throw new UrlProblem('first path segment in URL cannot contain colon');
    }
  }
  if (!rest.startsWith('//') || (scheme === '' && rest.startsWith('///'))) {
    return { ...empty, path: decode(rest), rawPath: rest, rawQuery };
  }
  const slash = rest.indexOf('/', 2);
  const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
  const rawPath = slash < 0 ? '' : rest.slice(slash);
  return {
    ...empty,
    ...parseAuthority(authority),
    hasAuthority: true,
    path: decode(rawPath),
    rawPath,
    rawQuery,
  };
}

function parseAuthority(authority: string): Pick<GoUrl, 'user' | 'host'> {
  const at = authority.lastIndexOf('@');
  const rawHost = authority.slice(at + 1);
  const end = rawHost.startsWith('[') ? rawHost.lastIndexOf(']') + 1 : rawHost.lastIndexOf(':');
  if (rawHost.startsWith('[') && end === 0) throw new UrlProblem("missing ']' in host");
  const port = end < 0 ? '' : rawHost.slice(end);
  if (port !== '' && !/^:\d*$/.test(port)) {
    throw new UrlProblem(`invalid port ${quote(port)} after host`);
  }
  const bad = /[^A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"%\u0080-\uffff]/.exec(rawHost);
  if (bad !== null) {
    throw new UrlProblem(`invalid character ${quote(bad[0])} in host name`);
  }
  const ascii = /%(?!25)[0-7][0-9a-fA-F]/.exec(rawHost);
  if (ascii !== null) throw new UrlProblem(`invalid URL escape ${quote(ascii[0])}`);
  const host = decode(rawHost);
  if (host.includes('[')) checkLiteral(host);
  if (at < 0) return { user: undefined, host };
  const userinfo = authority.slice(0, at);
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(userinfo)) {
    throw new UrlProblem('net/url: invalid userinfo');
  }
  const colon = userinfo.indexOf(':');
  if (colon < 0) return { user: { name: decode(userinfo), password: undefined }, host };
  const password = decode(userinfo.slice(colon + 1));
  return { user: { name: decode(userinfo.slice(0, colon)), password }, host };
}

/** What stands in brackets must be an address of IPv6, with nothing before it. */
function checkLiteral(host: string): void {
  const literal = /^\[(.*)\](?::\d*)?$/s.exec(host)?.[1];
  if (literal === undefined || host.lastIndexOf('[') > 0 || isIPv4(literal)) {
    throw new UrlProblem('invalid IP-literal');
  }
  if (isIPv6(literal.replace(/%.+$/s, ''))) return;
  throw new UrlProblem(`invalid host: ParseAddr(${quote(literal)}): unable to parse IP`);
}

/** Decodes %XX. */
function decode(text: string): string {
  const bad = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(text);
  if (bad !== null) throw new UrlProblem(`invalid URL escape ${quote(bad[0])}`);
  if (!text.includes('%')) return text;
  return text.replace(/(?:%[0-9a-fA-F]{2})+/g, (run) =>
    Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}

function encode(text: string, kept: RegExp): string {
  return [...text]
    .map((character) =>
      kept.test(character)
        ? character
        : [...Buffer.from(character)]
            .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
            .join(''),
    )
    .join('');
}

const IN_PATH = /^[A-Za-z0-9\-_.~$&+,/:;=@]$/;
const IN_USER = /^[A-Za-z0-9\-_.~;&=+$,]$/;
const IN_HOST = /^[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"]$/;
const IN_FRAGMENT = /^[A-Za-z0-9\-_.~$&+,/:;=?@!()*]$/;
/** Also left alone in a path that is valid as it was written. */
const VALID_FRAGMENT = /^(?:[A-Za-z0-9\-_.~$&+,/:;=?@!'()*[\]]|%)*$/;
const VALID_PATH = /^(?:[A-Za-z0-9\-_.~$&+,/:;=@!'()*[\]]|%)*$/;

/** The path as it goes onto the wire. */
function escapedPath(url: GoUrl): string {
  if (VALID_PATH.test(url.rawPath)) return url.rawPath;
  return encode(url.path, IN_PATH);
}

function escapedFragment(url: GoUrl): string {
  return VALID_FRAGMENT.test(url.rawFragment) ? url.rawFragment : encode(url.fragment, IN_FRAGMENT);
}

/** The URL as text; `password` replaces the password in messages that must not show it. */
export function formatUrl(url: GoUrl, options: { readonly password?: string } = {}): string {
  const scheme = url.scheme === '' ? '' : `${url.scheme}:`;
  const query = url.rawQuery === undefined ? '' : `?${url.rawQuery}`;
  const fragment = url.fragment === '' ? '' : `#${escapedFragment(url)}`;
  if (url.opaque !== '') return `${scheme}${url.opaque}${query}${fragment}`;
  const user = url.user === undefined ? '' : `${userText(url.user, options.password)}@`;
  const named = url.host !== '' || url.path !== '' || user !== '';
  const authority = url.hasAuthority && named ? `//${user}${encode(url.host, IN_HOST)}` : '';
  return `${scheme}${authority}${escapedPath(url)}${query}${fragment}`;
}

function userText(user: NonNullable<GoUrl['user']>, replacement: string | undefined): string {
  const name = encode(user.name, IN_USER);
  if (user.password === undefined) return name;
  return `${name}:${replacement ?? encode(user.password, IN_USER)}`;
}

/** Path and query as they stand in a request line. */
export function requestUri(url: GoUrl): string {
  const path = escapedPath(url);
  return `${path === '' ? '/' : path}${url.rawQuery === undefined ? '' : `?${url.rawQuery}`}`;
}

/** Where a reference leads from `base`, a redirect for example. */
export function resolveReference(base: GoUrl, reference: GoUrl): GoUrl {
  const scheme = reference.scheme === '' ? base.scheme : reference.scheme;
  const isWhole = reference.scheme !== '' || reference.host !== '' || reference.user !== undefined;
  if (isWhole) return withPath({ ...reference, scheme }, withoutDots(escapedPath(reference), ''));
  const { user, host, hasAuthority } = base;
  const here = { ...reference, scheme, user, host, hasAuthority };
  const isEmpty = reference.path === '' && !reference.rawQuery;
  const fragment = isEmpty && reference.fragment === '' ? base : reference;
  return withPath(
    {
      ...here,
      rawQuery: isEmpty && reference.rawQuery === undefined ? base.rawQuery : reference.rawQuery,
      fragment: fragment.fragment,
      rawFragment: fragment.rawFragment,
    },
    withoutDots(escapedPath(base), escapedPath(reference)),
  );
}

function withPath(url: GoUrl, rawPath: string): GoUrl {
  return { ...url, rawPath, path: decode(rawPath) };
}

/** `reference` beside the last part of `base`, with `.` and `..` taken out. */
function withoutDots(base: string, reference: string): string {
  const joined =
    reference === ''
      ? base
      : reference.startsWith('/')
        ? reference
        : base.slice(0, base.lastIndexOf('/') + 1) + reference;
  if (joined === '') return '';
  const parts = joined.split('/');
  const kept: string[] = [];
  for (const part of parts) {
    if (part === '..') kept.pop();
    else if (part !== '.') kept.push(part);
    if (part === '..' && kept.length === 0) kept.push('');
  }
  const last = parts.at(-1);
  if (last === '.' || last === '..') kept.push('');
  const path = kept.join('/');
  return `/${path.replace(/^\//, '')}`;
}
