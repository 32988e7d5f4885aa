/** Our own sign-in; with an external issuer these routes are not used. */
import type { EmbeddedSignIn, HttpService } from '../route/service.ts';
import { UaaError } from '../route/uaa-error.ts';

/** @throws UaaError when users sign in elsewhere. */
export function embedded({ signIn }: HttpService): EmbeddedSignIn {
  if (signIn.kind === 'embedded') return signIn;
  throw new UaaError(404, 'not_found', `Users of this installation sign in at ${signIn.url}.`);
}
