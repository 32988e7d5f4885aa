/** The frame of every page, and the response that carries it. */
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { html } from 'ghtml';
import type { Caller } from '../../../service/access/caller.ts';
import { mayReadPlatform } from '../../../service/access/may.ts';
import { globalStanding } from '../../../service/access/standing.ts';
import type { CallContext } from '../route/route.ts';
import { assetPath } from './assets.ts';
import { chosen } from './parts.ts';
import { formTokenOf, secretOf } from './session.ts';
import { seen } from './styled-text.ts';

/** What an answer of a page may be. */
export const PAGE = { 200: 'bytes', 303: null } as const;

/** Nothing from elsewhere, nothing inline, no frame around it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': POLICY,
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  vary: 'accept, accept-encoding, cookie',
} as const;

export interface PageParts {
  readonly title: string;
  /** HTML. */
  readonly main: string;
  readonly status?: number;
  /** Seconds after which it is loaded again where no script does better. */
  readonly reloadS?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

type Visit = Pick<CallContext, 'caller' | 'request' | 'service'>;

/** A page as the answer of a route. */
export function answerPage(visit: Visit, parts: PageParts) {
  const text = frame(visit, parts);
  const zips = /\bgzip\b/.test(String(visit.request.headers['accept-encoding'] ?? ''));
  const stream = Readable.from([Buffer.from(text)]);
  return {
    status: parts.status ?? 200,
    stream: zips ? stream.pipe(createGzip()) : stream,
    headers: { ...HEADERS, ...parts.headers, ...(zips && { 'content-encoding': 'gzip' }) },
  };
}

/** Goes on to another page. */
export function goTo(location: string, cookie?: string | string[]) {
  return {
    status: 303 as const,
    headers: { location, ...(cookie !== undefined && { 'set-cookie': cookie }) },
  };
}

function frame(visit: Visit, { title, main, reloadS }: PageParts): string {
  const reload =
    reloadS === undefined ? '' : html`<noscript><meta http-equiv="refresh" content="${reloadS}"></noscript>`;
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${seen(title)} – stager</title>
  <link rel="icon" href="${assetPath('icon.svg')}" type="image/svg+xml">
  <link rel="stylesheet" href="${assetPath('page.css')}">
  <script src="${assetPath('page.js')}" defer></script>
  !${reload}
</head>
<body>
  <a class="skip" href="#main">Skip to content</a>
  <header class="top">
    <a class="home" href="/">stager</a>
    !${visit.caller.kind === 'anonymous' ? '' : menu(visit)}
  </header>
  <main id="main" tabindex="-1">!${main}</main>
  <footer><p>stager ${visit.service.settings.version} · <a href="/docs">API</a></p></footer>
</body>
</html>
`;
}

const PLACES = [
  ['/', 'Apps'],
  ['/platform', 'Buildpacks and stacks'],
  ['/saved', 'Saved bytes'],
] as const;

function menu({ caller, request }: Visit): string {
  const places = [...PLACES, ...(mayReadPlatform(globalStanding(caller)) ? [['/queue', 'Queue']] : [])];
  const here = request.url.replace(/\?.*$/s, '').replace(/^\/apps$/, '/');
  return html`<nav aria-label="Main"><ul>
      !${places.map(
        ([path, text]) =>
          html`<li><a href="${path}" !${path === here ? 'aria-current="page"' : ''}>${text}</a></li>`,
      )}
    </ul></nav>
    !${signOut(caller, secretOf(request))}`;
}

function signOut({ name, guid }: Caller, secret = ''): string {
  return html`<form class="sign-out" method="post" action="/sign-out">
    <input type="hidden" name="form_token" value="${formTokenOf(secret)}">
    <span>!${chosen(name ?? guid)}</span> <button>Sign out</button>
  </form>`;
}
