import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { expect, it } from 'vitest';
import { type Api, describeApi, type Reply } from '../support/api.ts';

const CF = `Basic ${Buffer.from('cf:').toString('base64')}`;

async function grant(
  api: Api,
  form: Record<string, string>,
  authorization: string | undefined = CF,
): Promise<Reply> {
  return await api.ask('POST', '/uaa/oauth/token', {
    as: 'nobody',
    body: new URLSearchParams(form).toString(),
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(authorization !== '' && { authorization }),
    },
  });
}

async function newUser(api: Api, password = 'correct horse'): Promise<{ id: string; name: string }> {
  const name = `user-${crypto.randomUUID()}`;
  const { body } = await api.ask('POST', '/uaa/Users', { body: { userName: name, password } });
  return { id: String(body['id']), name };
}

const login = async (api: Api, username: string, password: string) =>
  await grant(api, { grant_type: 'password', username, password });

const accessToken = (reply: Reply): string => String(reply.body['access_token']);
const seesOrganizations = async (api: Api, token: string): Promise<number> =>
  (await api.ask('GET', '/v3/organizations', { token })).status;

describeApi('the sign-in', (api) => {
  it('gives a token whose claims the cf client needs, signed with a published key', async () => {
    const { id, name } = await newUser(api());
    const reply = await login(api(), name.toUpperCase(), 'correct horse');
    expect(reply.body).toMatchObject({
      token_type: 'bearer',
      refresh_token: expect.any(String),
      expires_in: expect.any(Number),
    });
    const keys = createRemoteJWKSet(new URL(`${api().url}/uaa/token_keys`));
    const { payload } = await jwtVerify(accessToken(reply), keys, { issuer: `${api().url}/uaa/oauth/token` });
    expect(payload).toMatchObject({
      user_id: id,
      user_name: name,
      origin: 'uaa',
      client_id: 'cf',
      revocable: true,
    });
    expect(await seesOrganizations(api(), accessToken(reply))).toBe(200);
  });

  it('refuses a wrong password and an unknown user with the same words', async () => {
    const { name } = await newUser(api());
    const wrong = await login(api(), name, 'battery staple');
    const unknown = await login(api(), 'nobody-of-that-name', 'x');
    expect(wrong.body).toEqual({ error: 'unauthorized', error_description: 'Bad credentials' });
    expect([wrong.status, unknown.status, unknown.body]).toEqual([401, 401, wrong.body]);
  });

  it('locks an account after five wrong passwords, for the right one as well', async () => {
    const { name } = await newUser(api());
    for (let attempt = 0; attempt < 5; attempt += 1) await login(api(), name, 'wrong');
    const locked = await login(api(), name, 'correct horse');
    expect([locked.status, locked.body['error_description']]).toEqual([
      401,
      'Your account has been locked because of too many failed attempts to login.',
    ]);
  });

  it('refreshes, and stops at the end of the session', async () => {
    const { name } = await newUser(api());
    const first = await login(api(), name, 'correct horse');
    const form = { grant_type: 'refresh_token', refresh_token: String(first.body['refresh_token']) };
    const second = await grant(api(), form);
    expect(second.body).toMatchObject({ token_type: 'bearer', refresh_token: first.body['refresh_token'] });
    const { jti } = decodeJwt(accessToken(second));
    const token = accessToken(second);
    expect((await api().ask('DELETE', `/uaa/oauth/token/revoke/${jti}`, { token })).status).toBe(200);
    expect(await seesOrganizations(api(), accessToken(first))).toBe(401);
    expect(await seesOrganizations(api(), token)).toBe(401);
    const third = await grant(api(), form);
    expect([third.status, third.body['error']]).toEqual([401, 'invalid_token']);
  });

  it('takes no token of a user who is gone or has another password', async () => {
    const [gone, changed] = [await newUser(api()), await newUser(api())];
    const goneToken = accessToken(await login(api(), gone.name, 'correct horse'));
    await api().ask('DELETE', `/uaa/Users/${gone.id}`);
    expect(await seesOrganizations(api(), goneToken)).toBe(401);
    const session = await login(api(), changed.name, 'correct horse');
    const reply = await api().ask('PUT', `/uaa/Users/${changed.id}/password`, {
      token: accessToken(session),
      body: { oldPassword: 'correct horse', password: 'new one' },
    });
    expect(reply.status).toBe(200);
    const refreshed = await grant(api(), {
      grant_type: 'refresh_token',
      refresh_token: String(session.body['refresh_token']),
    });
    expect(refreshed.status).toBe(401);
    expect((await login(api(), changed.name, 'new one')).status).toBe(200);
  });

  it('changes a password with the old one only, and not to the same', async () => {
    const { id, name } = await newUser(api());
    const token = accessToken(await login(api(), name, 'correct horse'));
    const change = async (oldPassword: string, password: string) =>
      await api().ask('PUT', `/uaa/Users/${id}/password`, { token, body: { oldPassword, password } });
    expect((await change('wrong', 'other')).body).toEqual({
      error: 'unauthorized',
      error_description: 'Old password is incorrect',
    });
    const same = await change('correct horse', 'correct horse');
    expect([same.status, same.body['error']]).toEqual([422, 'invalid_password']);
  });

  it('gives programs tokens of their own', async () => {
    const client = {
      client_id: 'ci',
      authorized_grant_types: ['client_credentials'],
      authorities: ['cloud_controller.admin'],
    };
    const create = async (secret?: string) =>
      await api().ask('POST', '/uaa/oauth/clients', { body: { ...client, client_secret: secret } });
    expect((await create()).body['error_description']).toBe('Client secret is required');
    expect((await create('s3cret')).body).toMatchObject(client);
    expect((await create('another')).body['error_description']).toBe('Client already exists: ci');
    const form = { grant_type: 'client_credentials', client_id: 'ci', client_secret: 's3cret' };
    const reply = await grant(api(), form, '');
    expect(reply.body).not.toHaveProperty('refresh_token');
    expect(await seesOrganizations(api(), accessToken(reply))).toBe(200);
    const wrong = await grant(api(), { ...form, client_secret: 'x' }, '');
    expect([wrong.status, wrong.body['error']]).toEqual([401, 'invalid_client']);
    const other = await grant(api(), { ...form, grant_type: 'password' }, '');
    expect([other.status, other.body['error']]).toEqual([401, 'invalid_client']);
    expect((await api().ask('DELETE', '/uaa/oauth/clients/ci')).body).toMatchObject(client);
    expect(await seesOrganizations(api(), accessToken(reply))).toBe(401);
    const [gone, kept] = [
      await api().ask('DELETE', '/uaa/oauth/clients/ci'),
      await api().ask('DELETE', '/uaa/oauth/clients/cf'),
    ];
    expect([gone.status, kept.status]).toEqual([404, 400]);
  });

  it('knows the origin uaa, and no other', async () => {
    const { name } = await newUser(api());
    const form = { grant_type: 'password', username: name, password: 'correct horse' };
    expect((await grant(api(), { ...form, login_hint: '{"origin":"uaa"}' })).status).toBe(200);
    expect((await grant(api(), { ...form, login_hint: '{"origin":"ldap"}' })).body).toMatchObject({
      error_description: 'The origin provided is invalid.',
    });
  });

  it('finds users by name, and refuses names that UAA would refuse', async () => {
    const { id, name } = await newUser(api());
    const filter = new URLSearchParams({ filter: `userName eq "${name}" and origin eq "uaa"` });
    const found = await api().ask('GET', `/uaa/Users?${filter}`);
    expect(found.body).toMatchObject({ totalResults: 1, resources: [{ id, userName: name }] });
    const odd = await api().ask('POST', '/uaa/Users', { body: { userName: 'a;b', password: 'x' } });
    expect([odd.status, odd.body['error']]).toEqual([400, 'invalid_scim_resource']);
    const again = await api().ask('POST', '/uaa/Users', { body: { userName: name, password: 'x' } });
    expect(again.status).toBe(409);
    const wrong = await api().ask('GET', '/uaa/Users?filter=userName+co+%22a%22');
    expect(wrong.status).toBe(400);
  });

  it('never takes a token that another key signed', async () => {
    const { name } = await newUser(api());
    const [head, body] = accessToken(await login(api(), name, 'correct horse')).split('.');
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    expect(await seesOrganizations(api(), `${none}.${body}.`)).toBe(401);
    expect(await seesOrganizations(api(), `${head}.${body}.${'A'.repeat(86)}`)).toBe(401);
  });

  // Last: it ends the tokens of the world's users.
  it('signs with a new key when the old one is old, and takes its tokens until all of them are over', async () => {
    const { service } = api();
    const { signIn, database } = service;
    if (signIn.kind !== 'embedded') throw new Error('the embedded sign-in is tested here');
    const age = async (days: number) =>
      await database.run(`update signing_keys set created_at = created_at - interval '${days} days'`);
    const { name } = await newUser(api());
    const old = accessToken(await login(api(), name, 'correct horse'));
    const admin = api().world.users.admin.token;
    await age(91);
    await signIn.keys.rotate();
    const fresh = accessToken(await login(api(), name, 'correct horse'));
    expect(decodeProtectedHeader(fresh).kid).not.toBe(decodeProtectedHeader(old).kid);
    expect((await api().ask('GET', '/uaa/token_keys', { as: 'nobody' })).text).toContain(
      decodeProtectedHeader(old).kid,
    );
    expect([await seesOrganizations(api(), old), await seesOrganizations(api(), fresh)]).toEqual([200, 200]);
    // Older than any token that it signed.
    await database.run(`update signing_keys set created_at = created_at - interval '2 days' where kid = $1`, [
      decodeProtectedHeader(old).kid,
    ]);
    await signIn.keys.rotate();
    expect([await seesOrganizations(api(), old), await seesOrganizations(api(), admin)]).toEqual([401, 401]);
    expect(await seesOrganizations(api(), fresh)).toBe(200);
  });
});
