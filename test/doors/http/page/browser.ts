/** A client that behaves as a browser without script: it keeps its cookie, says where it comes from, and sends forms. */
import type { HttpService } from '../../../../src/doors/http/route/service.ts';
import { findAccountByName } from '../../../../src/service/sign-in/accounts.ts';
import { startPageSession } from '../../../../src/service/sign-in/page-sessions.ts';

export interface Shown {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

export interface Browser {
  /** Follows nothing. */
  open(path: string, headers?: Readonly<Record<string, string>>): Promise<Shown>;
  send(
    path: string,
    form: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Shown>;
}

export const ACCEPT = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

/** @param cookie of a session, when there is one already. */
export function browserOf(url: string, cookie = ''): Browser {
  let kept = cookie;
  const ask = async (path: string, init: RequestInit): Promise<Shown> => {
    const headers = { accept: ACCEPT, ...(kept !== '' && { cookie: kept }), ...init.headers };
    const answer = await fetch(`${url}${path}`, { ...init, redirect: 'manual', headers });
    const [given] = answer.headers.getSetCookie();
    if (given !== undefined) kept = /=;/.test(given) ? '' : (given.split(';')[0] ?? '');
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };
  return {
    open: (path, headers = {}) => ask(path, { headers }),
    send: (path, form, headers = {}) =>
      ask(path, {
        method: 'POST',
        body: new URLSearchParams(form),
        headers: { origin: url, 'sec-fetch-site': 'same-origin', ...headers },
      }),
  };
}

/** The cookie of somebody who signed in. */
export async function cookieOf(
  { database }: Pick<HttpService, 'database'>,
  username: string,
): Promise<string> {
  const account = await findAccountByName(database.queries, username);
  if (account === undefined) throw new Error(`there is no ${username}`);
  return `stager=${await startPageSession(database.queries, account)}`;
}
