/** `/sign-in` and `/sign-out`. */
import { z } from 'zod';
import { tryPassword } from '../../../service/sign-in/accounts.ts';
import { startPageSession } from '../../../service/sign-in/page-sessions.ts';
import { route } from '../route/define-route.ts';
import type { CallContext } from '../route/route.ts';
import { issuerSignInPages } from './issuer-sign-in.ts';
import { answerPage, goTo, PAGE } from './layout.ts';
import { cookieFor, demandFormToken, demandOwnForm, endBrowserSession, LONGEST_SECRET } from './session.ts';
import { ownPlace, signInPage } from './sign-in-page.ts';

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
    return goTo(ownPlace(body.next, base), cookieFor(base, tried.secret));
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

export const signInPages = [form, signIn, signOut, ...issuerSignInPages];

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
