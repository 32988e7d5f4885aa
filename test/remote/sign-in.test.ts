import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import got from 'got';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { ask } from '../../src/remote/http.ts';
import { readLogin, saveLogin } from '../../src/remote/logins.ts';
import { openStream } from '../../src/remote/open-stream.ts';
import { type SignInAs, signIn, tokensFor } from '../../src/remote/sign-in.ts';
import { createAccount } from '../../src/service/sign-in/accounts.ts';
import { addClient } from '../../src/service/sign-in/clients.ts';
import { type Api, describeApi } from '../doors/http/support/api.ts';

const ADA = { kind: 'password', username: 'ada', password: 'correct-horse' } as const;
const { signal } = new AbortController();

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-login-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function parts(name: string) {
  return { http: got, signal, file: join(dir, 'config', `${name}.json`) };
}

async function signedIn(api: Api, name: string, credentials: SignInAs = ADA): Promise<string> {
  const { file } = parts(name);
  await signIn(parts(name), api.url, credentials);
  return file;
}

/** Asks what only somebody who is signed in may ask. */
async function asks(api: Api, name: string, given?: string) {
  const tokens = tokensFor({ ...parts(name), given }, { url: api.url });
  const url = `${api.url}/v3/organizations`;
  return await ask({ http: got, signal, tokens }, { method: 'GET', url }, z.looseObject({}));
}

describeApi('a login', (api) => {
  beforeAll(async () => {
    await createAccount(api().service.database.queries, {
      username: 'ada',
      password: 'correct-horse',
      scopes: ['cloud_controller.read', 'cloud_controller.write'],
    });
  });

  it('is kept for its owner alone, without the password', async () => {
    const file = await signedIn(api(), crypto.randomUUID());
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).not.toContain('correct-horse');
  });

  it('lets requests in, and is renewed when the token is not taken any more', async () => {
    const name = crypto.randomUUID();
    const file = await signedIn(api(), name);
    await expect(asks(api(), name)).resolves.toMatchObject({ resources: [] });
    const login = await readLogin(file, api().url);
    if (login === undefined) throw new Error('nothing was kept');
    await saveLogin(file, api().url, { ...login, accessToken: 'of.last.week' });
    await expect(asks(api(), name)).resolves.toMatchObject({ resources: [] });
    expect((await readLogin(file, api().url))?.accessToken).not.toBe('of.last.week');
  });

  it('is renewed for an answer that is read as it comes, too', async () => {
    const name = crypto.randomUUID();
    const file = await signedIn(api(), name);
    const login = await readLogin(file, api().url);
    if (login === undefined) throw new Error('nothing was kept');
    await saveLogin(file, api().url, { ...login, accessToken: 'of.last.week' });
    const remote = { http: got, signal, tokens: tokensFor({ ...parts(name), given: undefined }, api()) };
    const url = `${api().url}/v3/organizations`;
    expect(JSON.parse(await text(await openStream(remote, { url, what: 'the list' })))).toMatchObject({
      resources: [],
    });
    const none = openStream(remote, { url: `${url}/none`, what: 'the list' });
    await expect(none).rejects.toThrow("the list can't be read (404)");
    const given = { ...remote, tokens: tokensFor({ ...parts(name), given: 'of.last.week' }, api()) };
    await expect(openStream(given, { url, what: 'the list' })).rejects.toMatchObject({
      code: 'NOT_SIGNED_IN',
    });
  });

  it('of a program is by the secret of its client', async () => {
    const client = {
      id: `ci-${crypto.randomUUID()}`,
      secret: 'of-ci',
      grants: ['client_credentials'],
      scopes: ['cloud_controller.read'],
    };
    await addClient(api().service.database.queries, client);
    const name = crypto.randomUUID();
    await signedIn(api(), name, { kind: 'client', clientId: client.id, clientSecret: client.secret });
    await expect(asks(api(), name)).resolves.toMatchObject({ resources: [] });
  });

  it('is refused with a wrong password, and without one requests say how to sign in', async () => {
    const wrong = signedIn(api(), 'nobody', { ...ADA, password: 'wrong' });
    await expect(wrong).rejects.toMatchObject({ code: 'NOT_SIGNED_IN', exit: 102 });
    await expect(asks(api(), 'nobody')).rejects.toMatchObject({
      code: 'NOT_SIGNED_IN',
      next: expect.stringContaining(`stager login ${api().url}`),
    });
    await expect(asks(api(), 'nobody', 'not.a.token')).rejects.toMatchObject({ code: 'NOT_SIGNED_IN' });
  });
});
