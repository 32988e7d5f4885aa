/** The page that asks a person to sign in. */
import { html } from 'ghtml';
import type { CallContext } from '../route/route.ts';

/** Only a place of ours: whoever makes a link to the sign-in must not choose another. */
export function ownPlace(next: string | undefined, base: string): string {
  if (next === undefined || !/^\/(?![/\\])/.test(next)) return '/';
  const place = URL.parse(next, base);
  return place === null || place.origin !== new URL(base).origin ? '/' : `${place.pathname}${place.search}`;
}

interface Given {
  readonly next?: string | undefined;
  readonly username?: string | undefined;
  readonly refused?: string;
}

/** What asks a person to sign in, in the way that this server has. */
export function signInPage({ service }: Pick<CallContext, 'service'>, given: Given) {
  const { next = '', username = '', refused } = given;
  const problem =
    refused === undefined ? '' : html`<p class="problem" role="alert" id="problem">${refused}</p>`;
  const main = html`<h1>Sign in</h1>
    !${problem}
    !${waysIn(service.signIn, { next, username })}`;
  return { title: 'Sign in', main };
}

function waysIn(
  signIn: CallContext['service']['signIn'],
  { next, username }: { readonly next: string; readonly username: string },
): string {
  if (signIn.kind === 'embedded') return signInForm(next, passwordFields(username));
  const form = signInForm(next, tokenField(signIn.url));
  if (signIn.flow === undefined) return form;
  // A link: a form that leads to another server is what our policy for forms forbids.
  return html`<p>Users of this server sign in at ${signIn.url}.</p>
    <p><a class="button" href="/sign-in/issuer?next=${encodeURIComponent(next)}">Sign in</a></p>
    <details><summary>Sign in with a token</summary>!${form}</details>`;
}

function signInForm(next: string, fields: string): string {
  return html`<form method="post" action="/sign-in" class="sign-in">
      <input type="hidden" name="next" value="${next}">
      !${fields}
      <button>Sign in</button>
    </form>`;
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
