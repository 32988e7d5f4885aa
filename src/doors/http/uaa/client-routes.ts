/** `/uaa/oauth/clients`: programs that ask for tokens, for their user or for themselves (`cf auth --client-credentials`). */
import { z } from 'zod';
import type { Caller } from '../../../service/access/caller.ts';
import { deleteUser } from '../../../service/resources/users.ts';
import { callerOf, rememberUser } from '../../../service/sign-in/authenticator.ts';
import { addClient, type Client, deleteClient, findClient } from '../../../service/sign-in/clients.ts';
import { route } from '../route/define-route.ts';
import { insufficientScope, UaaError } from '../route/uaa-error.ts';
import { embedded } from './embedded.ts';

const Id = z.string().max(255);
const ById = z.object({ id: Id });
/** The client that everybody signs in with. */
const PUBLIC = 'cf';

const NewClient = z.object({
  client_id: Id.regex(/^[\w.@-]+$/),
  client_secret: z.string().max(1000).optional(),
  authorized_grant_types: z.array(z.enum(['password', 'refresh_token', 'client_credentials'])).min(1),
  /** What it may by itself. */
  authorities: z.array(Id).max(100).optional(),
  /** What it may for a user: taken, and always all that the user may. */
  scope: z.array(Id).max(100).optional(),
});

const ClientAnswer = z.object({
  client_id: z.string(),
  authorized_grant_types: z.array(z.string()),
  scope: z.array(z.string()),
  authorities: z.array(z.string()),
});

function present({ id, grants, scopes }: Client): z.input<typeof ClientAnswer> {
  return {
    client_id: id,
    authorized_grant_types: [...grants],
    scope: ['uaa.none'],
    authorities: [...scopes],
  };
}

const create = route({
  method: 'POST',
  path: '/uaa/oauth/clients',
  summary: 'Create a client: a program that asks for tokens',
  access: 'signed-in',
  body: NewClient,
  answers: { 201: ClientAnswer },
  handle: async ({ body, caller, service }) => {
    embedded(service);
    demandScope(caller, 'clients.write');
    const { client_id: id, client_secret: secret = '', authorized_grant_types: grants } = body;
    if (secret === '' && grants.includes('client_credentials')) throw invalid('Client secret is required');
    const client = { id, grants, scopes: body.authorities ?? [] };
    if (!(await addClient(service.database.queries, { ...client, secret }))) {
      throw new UaaError(409, 'invalid_client', `Client already exists: ${id}`);
    }
    // So that it can be given roles before it comes for the first time.
    await rememberUser(service.database.queries, callerOf({ client_id: id, scope: [] }));
    return { status: 201, body: present(client) };
  },
});

const get = route({
  method: 'GET',
  path: '/uaa/oauth/clients/:id',
  summary: 'Get a client',
  access: 'signed-in',
  params: ById,
  answers: { 200: ClientAnswer },
  handle: async ({ params, caller, service }) => {
    demandScope(caller, 'clients.read');
    const client = await findClient(service.database.queries, params.id);
    if (client === undefined) throw noClient(params.id);
    return { status: 200, body: present(client) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/uaa/oauth/clients/:id',
  summary: 'Delete a client: its roles go, and none of its tokens is taken any more',
  access: 'signed-in',
  params: ById,
  answers: { 200: ClientAnswer },
  handle: async ({ params, caller, service }) => {
    demandScope(caller, 'clients.write');
    if (params.id === PUBLIC) throw invalid(`${PUBLIC} is the client that users sign in with`);
    const client = await deleteClient(service.database.queries, params.id);
    if (client === undefined) throw noClient(params.id);
    await deleteUser(service.database.queries, params.id);
    return { status: 200, body: present(client) };
  },
});

export const clientRoutes = [create, get, remove];

function demandScope(caller: Caller, scope: string): void {
  if (![scope, 'clients.admin', 'uaa.admin'].some((name) => caller.scopes.has(name)))
    throw insufficientScope();
}

function noClient(id: string): UaaError {
  return new UaaError(404, 'not_found', `No client with requested id: ${id}`);
}

function invalid(description: string): UaaError {
  return new UaaError(400, 'invalid_client', description);
}
