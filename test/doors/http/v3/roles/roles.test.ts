import { expect, it } from 'vitest';
import { describeApi, detailsIn, guidIn, resourcesIn } from '../../support/api.ts';

describeApi('roles and users', (api) => {
  const signUp = async (userName = `user-${crypto.randomUUID()}`) => {
    const { body } = await api().ask('POST', '/uaa/Users', { body: { userName, password: 'x' } });
    return { id: String(body['id']), userName };
  };
  const give = async (type: string, user: object, place: object) =>
    await api().ask('POST', '/v3/roles', {
      body: { type, relationships: { user: { data: user }, ...place } },
    });
  const organization = () => ({ organization: { data: { guid: api().world.organization } } });
  const space = () => ({ space: { data: { guid: api().world.space } } });

  it('are given by username, to users that only the sign-in knew', async () => {
    const { id, userName } = await signUp();
    const named = { username: userName, origin: 'uaa' };
    const role = await give('organization_user', named, organization());
    expect(role.status).toBe(201);
    expect(role.body).toMatchObject({
      type: 'organization_user',
      relationships: { user: { data: { guid: id } } },
    });
    expect((await give('space_developer', { username: userName }, space())).status).toBe(201);
    const again = await give('space_developer', named, space());
    expect([again.status, detailsIn(again)]).toEqual([
      422,
      [`User '${userName}' already has 'space_developer' role in space 'dev'.`],
    ]);
    const roles = await api().ask('GET', `/v3/roles?user_guids=${id}&include=user,space,organization`);
    expect(roles.body).toMatchObject({
      included: {
        users: [{ guid: id, username: userName, presentation_name: userName, origin: 'uaa' }],
        spaces: [{ guid: api().world.space }],
        organizations: [{ guid: api().world.organization }],
      },
    });
    expect(resourcesIn(roles)).toHaveLength(2);
  });

  it('are refused to unknown users, and in a space to strangers of its organization', async () => {
    const unknown = await give('organization_user', { username: 'nobody', origin: 'uaa' }, organization());
    expect(detailsIn(unknown)).toEqual(["No user exists with the username 'nobody' and origin 'uaa'."]);
    const { userName } = await signUp();
    for (const stranger of [{ username: userName }, { username: 'nobody' }, { guid: 'no-such-client' }]) {
      expect(detailsIn(await give('space_auditor', stranger, space()))).toEqual([
        "Users cannot be assigned roles in a space if they do not have a role in that space's organization.",
      ]);
    }
  });

  it('are given in an organization by a guid that only an issuer elsewhere may know', async () => {
    const guid = `client-${crypto.randomUUID()}`;
    expect((await give('organization_user', { guid }, organization())).status).toBe(201);
    expect((await give('space_developer', { guid }, space())).status).toBe(201);
    const user = await api().ask('GET', `/v3/users/${guid}`);
    expect(user.body).toMatchObject({ guid, username: null, presentation_name: guid });
  });

  it('are refused to a name of several origins, which are named in order', async () => {
    const { userName: username } = await signUp();
    await api().ask('POST', '/v3/users', { body: { username, origin: 'ldap' } });
    expect(detailsIn(await give('organization_user', { username }, organization()))).toEqual([
      `Ambiguous user. User with username '${username}' exists in the following origins: ldap, uaa. Specify an origin to disambiguate.`,
    ]);
  });

  it('are kept in the organization while there are some in its spaces', async () => {
    const { userName } = await signUp();
    const inOrganization = await give('organization_user', { username: userName }, organization());
    const inSpace = await give('space_auditor', { username: userName }, space());
    const early = await api().ask('DELETE', `/v3/roles/${guidIn(inOrganization)}`);
    expect([early.status, detailsIn(early)]).toEqual([
      422,
      ['Cannot delete organization_user role while user has roles in spaces in that organization.'],
    ]);
    await api().job(await api().ask('DELETE', `/v3/roles/${guidIn(inSpace)}`));
    await api().job(await api().ask('DELETE', `/v3/roles/${guidIn(inOrganization)}`));
  });

  it('fit their type', async () => {
    const { userName } = await signUp();
    const reply = await give('organization_user', { username: userName }, space());
    expect(reply.status).toBe(422);
  });

  it('are gone with the user, whose name stays free for a new one', async () => {
    const { id, userName } = await signUp();
    await api().ask('POST', '/v3/users', { body: { guid: id } });
    await give('organization_user', { guid: id }, organization());
    const taken = await api().ask('POST', '/v3/users', { body: { guid: id } });
    expect(detailsIn(taken)).toEqual([`User with guid '${id}' already exists.`]);
    await api().job(await api().ask('DELETE', `/v3/users/${id}`));
    await api().ask('DELETE', `/uaa/Users/${id}`);
    expect(resourcesIn(await api().ask('GET', `/v3/roles?user_guids=${id}`))).toEqual([]);
    expect((await signUp(userName)).id).not.toBe(id);
  });

  it('find users by name, part of a name and origin', async () => {
    const { id, userName } = await signUp();
    await api().ask('POST', '/v3/users', { body: { guid: id } });
    const found = async (query: Record<string, string>) =>
      resourcesIn(await api().ask('GET', `/v3/users?${new URLSearchParams(query)}`)).map(({ guid }) => guid);
    expect(await found({ usernames: userName.toUpperCase(), origins: 'uaa' })).toEqual([id]);
    expect(await found({ partial_usernames: userName.slice(8) })).toEqual([id]);
    expect(await found({ usernames: userName, origins: 'ldap' })).toEqual([]);
  });
});
