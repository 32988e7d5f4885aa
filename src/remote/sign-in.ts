/** The grants of a server's sign-in, and the tokens of requests. */
import { z } from 'zod';
import { StagerError } from '../words/errors.ts';
import { exchange, notSignedIn, type RemoteAnswer, type RemoteParts, read, type Tokens } from './http.ts';
import { type ServerLinks, serverLinks, serverUrl } from './links.ts';
import { type Login, readLogin, saveLogin } from './logins.ts';

/** The public client that people sign in with; it has no secret. */
const PUBLIC_CLIENT = 'cf';

/** A person, or a program. */
export type SignInAs =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  | { readonly kind: 'client'; readonly clientId: string; readonly clientSecret: string };

const Grant = z.object({ access_token: z.string().min(1), refresh_token: z.string().optional() });

type Http = Pick<RemoteParts, 'http' | 'signal'>;

/** Signs in and keeps the token. @throws StagerError NOT_SIGNED_IN when the credentials are refused. */
export async function signIn(
  parts: Http & { readonly file: string },
  address: string,
  credentials: SignInAs,
): Promise<void> {
  const links = await serverLinks(parts, address);
  const form =
    credentials.kind === 'password'
      ? { grant_type: 'password', username: credentials.username, password: credentials.password }
      : { grant_type: 'client_credentials' };
  const client =
    credentials.kind === 'password'
      ? { id: PUBLIC_CLIENT, secret: '' }
      : { id: credentials.clientId, secret: credentials.clientSecret };
  const login = await grant(parts, links.login, { client, form });
  await saveLogin(parts.file, serverUrl(address), login);
}

/**
 * Tokens for a server: the one that was given, else that of the login, renewed when it is refused.
 *
 * @param given STAGER_TOKEN, or the option of the library.
 */
export function tokensFor(
  parts: Http & { readonly file: string; readonly given: string | undefined },
  { url }: { readonly url: string },
): Tokens {
  const { given, file } = parts;
  let login: Login | undefined;
  const current = async (): Promise<string> => {
    if (given !== undefined) return given.replace(/^bearer /i, '');
    login ??= await readLogin(file, url);
    if (login === undefined) {
      throw new StagerError('NOT_SIGNED_IN', `not signed in to ${url}`, {
        next: `Run: stager login ${url} --username NAME, or set STAGER_TOKEN.`,
      });
    }
    return login.accessToken;
  };
  const renew = async (refused: string): Promise<string | undefined> => {
    if (given !== undefined) return undefined;
    // Another process may have renewed it meanwhile.
    const kept = await readLogin(file, url);
    if (kept !== undefined && kept.accessToken !== refused) login = kept;
    else if (kept?.refreshToken === undefined) return undefined;
    else {
      const form = { grant_type: 'refresh_token', refresh_token: kept.refreshToken };
      const client = { id: kept.clientId, secret: '' };
      login = await grant(parts, kept.login, { client, form }).catch(() => undefined);
      if (login === undefined) return undefined;
      await saveLogin(file, url, login);
    }
    return login.accessToken;
  };
  return { current, renew };
}

async function grant(
  parts: Http,
  login: ServerLinks['login'],
  {
    client,
    form,
  }: {
    readonly client: { readonly id: string; readonly secret: string };
    readonly form: Readonly<Record<string, string>>;
  },
): Promise<Login> {
  const url = `${login}/oauth/token`;
  const basic = Buffer.from(`${client.id}:${client.secret}`).toString('base64');
  const answer: RemoteAnswer = await exchange(parts, url, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}`, accept: 'application/json' },
    form,
  });
  if (answer.status === 401 || answer.status === 400) throw notSignedIn(url, answer.text);
  const { access_token, refresh_token } = read(url, answer, Grant);
  return {
    login,
    clientId: client.id,
    accessToken: access_token,
    ...(refresh_token !== undefined && { refreshToken: refresh_token }),
  };
}
