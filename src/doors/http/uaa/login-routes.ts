/** What clients need before they sign in: prompts, keys, addresses. */
import { z } from 'zod';
import { route } from '../route/define-route.ts';
import { UaaError } from '../route/uaa-error.ts';
import { embedded } from './embedded.ts';

/** The UAA whose answers these are; clients choose by it, `--origin` needs 4.19. */
const UAA_VERSION = '77.0.0';

const Login = z.object({
  app: z.object({ version: z.string() }),
  links: z.record(z.string(), z.string()),
  prompts: z.record(z.string(), z.array(z.string())),
  zone_name: z.string(),
  commit_id: z.string(),
  timestamp: z.string(),
});

function loginAnswer(base: string) {
  return {
    app: { version: UAA_VERSION },
    links: { uaa: `${base}/uaa`, login: `${base}/uaa` },
    prompts: { username: ['text', 'Email'], password: ['password', 'Password'] },
    zone_name: 'uaa',
    commit_id: '',
    timestamp: '',
  };
}

const login = route({
  method: 'GET',
  path: '/uaa/login',
  summary: 'Say what to ask a person who signs in',
  access: 'anyone',
  answers: { 200: Login },
  handle: async ({ base }) => ({ status: 200, body: loginAnswer(base) }),
});

const info = route({
  method: 'GET',
  path: '/uaa/info',
  summary: 'Describe the sign-in',
  access: 'anyone',
  answers: { 200: Login },
  handle: async ({ base }) => ({ status: 200, body: loginAnswer(base) }),
});

const Key = z.object({
  kid: z.string(),
  kty: z.string(),
  alg: z.string(),
  use: z.string(),
  crv: z.string().optional(),
  x: z.string().optional(),
  y: z.string().optional(),
  value: z.string(),
});

const keys = route({
  method: 'GET',
  path: '/uaa/token_keys',
  summary: 'List the keys that sign tokens',
  access: 'anyone',
  answers: { 200: z.object({ keys: z.array(Key) }) },
  handle: async ({ service }) => ({
    status: 200,
    body: { keys: [...(await embedded(service).keys.published())] },
  }),
});

const key = route({
  method: 'GET',
  path: '/uaa/token_key',
  summary: 'Get the key that signs new tokens',
  access: 'anyone',
  answers: { 200: Key },
  handle: async ({ service }) => {
    const [newest] = await embedded(service).keys.published();
    if (newest === undefined) throw new UaaError(404, 'not_found', 'There is no key.');
    return { status: 200, body: newest };
  },
});

const passcode = route({
  method: 'GET',
  path: '/uaa/passcode',
  summary: 'Say that there are no one-time passcodes',
  access: 'anyone',
  answers: {},
  handle: async () => {
    throw new UaaError(404, 'not_found', 'There are no one-time passcodes here: sign in with a password.');
  },
});

const authorize = route({
  method: 'GET',
  path: '/uaa/oauth/authorize',
  summary: 'Say that there is no sign-in by browser',
  access: 'anyone',
  query: z.record(z.string(), z.string()),
  answers: {},
  handle: async () => {
    throw new UaaError(
      400,
      'unsupported_response_type',
      'There is no sign-in by browser here: use the password grant.',
    );
  },
});

const Discovery = z.object({
  issuer: z.string(),
  token_endpoint: z.string(),
  jwks_uri: z.string(),
  userinfo_endpoint: z.string(),
  grant_types_supported: z.array(z.string()),
  id_token_signing_alg_values_supported: z.array(z.string()),
});

const discovery = route({
  method: 'GET',
  path: '/uaa/.well-known/openid-configuration',
  summary: 'Say where the endpoints of the sign-in are',
  access: 'anyone',
  answers: { 200: Discovery },
  handle: async ({ base }) => ({
    status: 200,
    body: {
      issuer: `${base}/uaa/oauth/token`,
      token_endpoint: `${base}/uaa/oauth/token`,
      jwks_uri: `${base}/uaa/token_keys`,
      userinfo_endpoint: `${base}/uaa/userinfo`,
      grant_types_supported: ['password', 'refresh_token', 'client_credentials'],
      id_token_signing_alg_values_supported: ['ES256'],
    },
  }),
});

export const loginRoutes = [login, info, keys, key, passcode, authorize, discovery];
