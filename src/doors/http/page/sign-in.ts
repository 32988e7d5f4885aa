/** `/sign-in` and `/sign-out`. */
import { html } from 'ghtml';
import { z } from 'zod';
import { tryPassword } from '../../../service/sign-in/accounts.ts';
import { startPageSession } from '../../../service/sign-in/page-sessions.ts';
import { route } from '../route/define-route.ts';
import type { CallContext } from '../route/route.ts';
import { answerPage, goTo, PAGE } from './layout.ts';
import { cookieFor, demandFormToken, demandOwnForm, endBrowserSession, LONGEST_SECRET } from './session.ts';

const text = z.string().max(4096);

const form = route({
  method: 'GET',
  path: '/sign-in',
  summary: 'Ask a person for a name and password',
  access: 'anyone',
  query: z.object({ next: text.optional() }),
  answers: PAGE,
  handle: async (call) => answerPage(call, signInPage(call, { next: call.query.next })),
});

const SignIn = z.object({
  username: text.optional(),
  password: text.optional(),
  token: text.optional(),
  next: text.optional(),
});

const signIn = route({
  method: 'POST',
  path: '/sign-in',
  summary: 'Begin a browser session',
  access: 'anyone',
  body: SignIn,
  bodyKind: 'form',
  answers: { ...PAGE, 403: 'bytes' },
  handle: async (call) => {
    const { body, base, request, service } = call;
    demandOwnForm(request, base);
    const tried = await secretFor(call, body);
    if ('refused' in tried) {
      const again = signInPage(call, { next: body.next, username: body.username, refused: tried.refused });
      return answerPage(call, { ...again, status: 403 });
    }
    await endBrowserSession(request, service);
    return goTo(placeOf(body.next, base), cookieFor(base, tried.secret));
  },
});

const signOut = route({
  method: 'POST',
  path: '/sign-out',
  summary: 'End a browser session',
  access: 'signed-in',
  body: z.object({ form_token: text }),
  bodyKind: 'form',
  answers: PAGE,
  handle: async ({ body, base, request, service }) => {
    demandOwnForm(request, base);
    demandFormToken(request, body.form_token);
    await endBrowserSession(request, service);
    return goTo('/sign-in', cookieFor(base));
  },
});

export const signInPages = [form, signIn, signOut];

type Tried = { readonly secret: string } | { readonly refused: string };

/** What the browser is to keep. */
async function secretFor(
  { service }: Pick<CallContext, 'service'>,
  { username = '', password = '', token = '' }: z.output<typeof SignIn>,
): Promise<Tried> {
  const { queries } = service.database;
  if (service.signIn.kind === 'external') {
    const secret = token.trim().replace(/^bearer\s+/i, '');
    if (secret.length > LONGEST_SECRET) return { refused: 'The token is too long for a browser to keep.' };
    const caller = await service.authenticator.authenticate(secret);
    return caller === undefined ? { refused: 'The token is not valid, or has expired.' } : { secret };
  }
  const outcome = await tryPassword(queries, { username, password });
  switch (outcome.kind) {
    case 'ok':
      return { secret: await startPageSession(queries, outcome.account) };
    case 'locked':
      return { refused: 'Too many wrong passwords: the account is locked for five minutes.' };
    case 'wrong':
      return { refused: 'The user name or password is wrong.' };
  }
}

/** Only a place of ours: whoever makes a link to the sign-in must not choose another. */
function placeOf(next: string | undefined, base: string): string {
  if (next === undefined || !/^\/(?![/\\])/.test(next)) return '/';
  const place = URL.parse(next, base);
  return place === null || place.origin !== new URL(base).origin ? '/' : `${place.pathname}${place.search}`;
}

interface Given {
  readonly next?: string | undefined;
  readonly username?: string | undefined;
  readonly refused?: string;
}

function signInPage({ service }: Pick<CallContext, 'service'>, given: Given) {
  const { next = '', username = '', refused } = given;
  const problem =
    refused === undefined ? '' : html`<p class="problem" role="alert" id="problem">${refused}</p>`;
  const main = html`<h1>Sign in</h1>
    !${problem}
    <form method="post" action="/sign-in" class="sign-in">
      <input type="hidden" name="next" value="${next}">
      !${service.signIn.kind === 'embedded' ? passwordFields(username) : tokenField(service.signIn.url)}
      <button>Sign in</button>
    </form>`;
  return { title: 'Sign in', main };
}

function passwordFields(username: string): string {
  return html`<label for="username">User</label>
    <input id="username" name="username" value="${username}" autocomplete="username" autocapitalize="none"
      spellcheck="false" required>
    <label for="password">Password</label>
    <input id="password" name="password" type="password" autocomplete="current-password" required>`;
}

function tokenField(issuer: string): string {
  return html`<p>Users of this server sign in at ${issuer}. Enter a token from there, as
      <code>cf oauth-token</code> prints.</p>
    <label for="token">Token</label>
    <textarea id="token" name="token" rows="6" autocomplete="off" spellcheck="false" required></textarea>`;
}
