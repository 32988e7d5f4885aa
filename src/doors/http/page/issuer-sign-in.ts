/** `/sign-in/issuer` and `/sign-in/back`: a browser goes to the issuer and comes back with who it is. */
import { z } from 'zod';
import { newSeed, SignInRefused } from '../../../service/sign-in/code-flow.ts';
import { CfError } from '../route/cf-errors.ts';
import { route } from '../route/define-route.ts';
import type { CallContext } from '../route/route.ts';
import { answerPage, goTo, PAGE } from './layout.ts';
import { cookieFor, flowCookie, flowOf, LONGEST_SECRET } from './session.ts';
import { ownPlace, signInPage } from './sign-in-page.ts';

const BACK = '/sign-in/back';

const begin = route({
  method: 'GET',
  path: '/sign-in/issuer',
  summary: 'Send a browser to the issuer',
  access: 'anyone',
  query: z.object({ next: z.string().max(1024).optional() }),
  answers: PAGE,
  handle: async ({ service, base, query }) => {
    const seed = newSeed();
    const address = await flow(service).address({ seed, back: `${base}${BACK}` });
    return goTo(address, flowCookie(base, { seed, next: ownPlace(query.next, base) }));
  },
});

const back = route({
  method: 'GET',
  path: BACK,
  summary: 'Begin a browser session with what the issuer answered',
  access: 'anyone',
  // The issuer's own words: openid-client judges them.
  query: z.record(z.string(), z.unknown()),
  answers: { ...PAGE, 403: 'bytes' },
  handle: async (call) => {
    const { base, request } = call;
    const begun = flowOf(request);
    const ended = flowCookie(base);
    const next = ownPlace(begun?.next, base);
    const tried =
      begun === undefined
        ? { refused: 'This browser began no sign-in, or too long ago.' }
        : await tokenFor(call, { seed: begun.seed, back: `${base}${BACK}` });
    if ('refused' in tried) {
      const page = signInPage(call, { next, refused: tried.refused });
      return answerPage(call, { ...page, status: 403, headers: { 'set-cookie': ended } });
    }
    return goTo(next, [ended, cookieFor(base, tried.secret)]);
  },
});

export const issuerSignInPages = [begin, back];

async function tokenFor(
  { service, url }: Pick<CallContext, 'service' | 'url'>,
  attempt: { readonly seed: string; readonly back: string },
): Promise<{ readonly secret: string } | { readonly refused: string }> {
  try {
    const secret = await flow(service).token(attempt, url.replace(/^[^?]*\??/, ''));
    if (secret.length > LONGEST_SECRET) return { refused: 'The token is too long for a browser to keep.' };
    const caller = await service.authenticator.authenticate(secret);
    if (caller !== undefined) return { secret };
    return { refused: 'The issuer gave a token that is not for this server (its audience, or its keys).' };
  } catch (error) {
    if (error instanceof SignInRefused) return { refused: error.message };
    throw error;
  }
}

function flow({ signIn }: CallContext['service']) {
  if (signIn.kind === 'external' && signIn.flow !== undefined) return signIn.flow;
  throw new CfError('NotFound', 'This server is no client of an issuer.');
}
