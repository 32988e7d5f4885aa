import type { Api } from '../support/api.ts';
import type { PermissionTable } from '../support/permissions.ts';
import { SIGNED_IN } from '../support/world.ts';

const anyone = (path: string) => ({ status: 200, may: 'anyone', request: () => ({ path }) }) as const;

async function doomed(api: Api): Promise<string> {
  // Of another origin: hashing a password for each of many users would take minutes.
  const body = { userName: `user-${crypto.randomUUID()}`, origin: 'ldap' };
  const { body: made } = await api.ask('POST', '/uaa/Users', { body });
  return String(made['id']);
}

/** Without a secret, which would be hashed. */
const newClient = () => ({
  client_id: `client-${crypto.randomUUID()}`,
  authorized_grant_types: ['password', 'refresh_token'],
});

export const uaaPermissions: PermissionTable = {
  'GET /uaa/login': anyone('/uaa/login'),
  'GET /uaa/info': anyone('/uaa/info'),
  'GET /uaa/token_keys': anyone('/uaa/token_keys'),
  'GET /uaa/token_key': anyone('/uaa/token_key'),
  'GET /uaa/.well-known/openid-configuration': anyone('/uaa/.well-known/openid-configuration'),
  'GET /uaa/passcode': { status: 404, may: 'anyone', request: () => ({ path: '/uaa/passcode' }) },
  'GET /uaa/oauth/authorize': {
    status: 400,
    may: 'anyone',
    request: () => ({ path: '/uaa/oauth/authorize?client_id=ssh-proxy&response_type=code' }),
  },
  // A grant says itself who may: without any, nobody.
  'POST /uaa/oauth/token': {
    status: 401,
    may: 'anyone',
    request: () => ({ path: '/uaa/oauth/token', body: {} }),
  },
  'DELETE /uaa/oauth/token/revoke/:jti': {
    status: 200,
    may: ['admin'],
    others: 403,
    request: () => ({ path: '/uaa/oauth/token/revoke/of-somebody-else' }),
  },
  'GET /uaa/oauth/clients/:id': {
    status: 200,
    may: ['admin'],
    others: 403,
    request: () => ({ path: '/uaa/oauth/clients/cf' }),
  },
  'POST /uaa/oauth/clients': {
    status: 201,
    may: ['admin'],
    others: 403,
    request: () => ({ path: '/uaa/oauth/clients', body: newClient() }),
  },
  'DELETE /uaa/oauth/clients/:id': {
    status: 200,
    may: ['admin'],
    others: 403,
    request: async (api) => {
      const body = newClient();
      await api.ask('POST', '/uaa/oauth/clients', { body });
      return { path: `/uaa/oauth/clients/${body.client_id}` };
    },
  },
  'GET /uaa/Users': { status: 200, may: ['admin'], others: 403, request: () => ({ path: '/uaa/Users' }) },
  'POST /uaa/Users': {
    status: 201,
    may: ['admin'],
    others: 403,
    request: () => ({
      path: '/uaa/Users',
      body: { userName: `user-${crypto.randomUUID()}`, password: 'secret' },
    }),
  },
  'GET /uaa/Users/:guid': {
    status: 200,
    may: ['admin', 'outsider'],
    others: 403,
    request: ({ world }) => ({ path: `/uaa/Users/${world.users.outsider.guid}` }),
  },
  'DELETE /uaa/Users/:guid': {
    status: 200,
    may: ['admin'],
    others: 403,
    request: async (api) => ({ path: `/uaa/Users/${await doomed(api)}` }),
  },
  'PUT /uaa/Users/:guid/password': {
    status: 200,
    may: ['admin'],
    others: 403,
    request: async (api) => ({
      path: `/uaa/Users/${await doomed(api)}/password`,
      body: { password: crypto.randomUUID() },
    }),
  },
  'GET /uaa/userinfo': { status: 200, may: [...SIGNED_IN], request: () => ({ path: '/uaa/userinfo' }) },
};
