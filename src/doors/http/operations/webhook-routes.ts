/** Webhooks: only for admins, since they decide where stager sends requests. */
import { z } from 'zod';
import { type Caller, isAdmin, isReadOnlyAdmin } from '../../../service/access/caller.ts';
import {
  createWebhook,
  type Delivery,
  deleteWebhook,
  findWebhook,
  LONGEST_OVERLAP_S,
  listDeliveries,
  listWebhooks,
  livingSecrets,
  OVERLAP_S,
  retryDelivery,
  rotateSecret,
  updateWebhook,
  type Webhook,
  WebhookAddress,
  WebhookName,
} from '../../../service/events/webhooks.ts';
import type { Queries } from '../../../service/state/database.ts';
import type { Guid } from '../../../words/ids.ts';
import { notAuthorized, notFound, unprocessable } from '../route/cf-errors.ts';
import { route } from '../route/define-route.ts';
import { ByGuid, GuidText } from '../route/params.ts';
import { ResourceFields, resourceFields } from '../route/present.ts';

const MOST = 200;
const Space = z.strictObject({ data: z.strictObject({ guid: GuidText }).nullable() });
const NewWebhook = z.strictObject({
  name: WebhookName,
  url: WebhookAddress,
  allow_private: z.boolean().optional(),
  enabled: z.boolean().optional(),
  relationships: z.strictObject({ space: Space }).optional(),
});
const Changes = NewWebhook.omit({ relationships: true }).partial();

const Fields = {
  ...ResourceFields,
  name: z.string(),
  url: z.string(),
  allow_private: z.boolean(),
  enabled: z.boolean(),
  space: z.object({ guid: z.string() }).nullable(),
  /** How many sign now; their values are never shown again. */
  secrets: z.number(),
};
const Shown = z.object(Fields).describe('webhook');
const WithSecret = z.object({ ...Fields, secret: z.string() }).describe('webhook with its new secret');
const DeliveryShown = z
  .object({
    ...ResourceFields,
    event: z.number(),
    state: z.enum(['PENDING', 'DELIVERED', 'DEAD']),
    attempts: z.number(),
    last_status: z.number().nullable(),
    last_error: z.string().nullable(),
  })
  .describe('delivery');

const list = route({
  method: 'GET',
  path: '/stager/v1/webhooks',
  summary: 'List webhooks',
  access: 'signed-in',
  answers: { 200: z.object({ webhooks: z.array(Shown) }) },
  handle: async ({ caller, service }) => {
    demandReader(caller);
    const rows = await listWebhooks(service.database.queries);
    return { status: 200, body: { webhooks: rows.map(present) } };
  },
});

const create = route({
  method: 'POST',
  path: '/stager/v1/webhooks',
  summary: 'Create a webhook that is called when a build ends; its secret is shown only once',
  access: 'signed-in',
  body: NewWebhook,
  answers: { 201: WithSecret },
  handle: async ({ body, caller, service }) => {
    demandAdmin(caller);
    const { queries } = service.database;
    const space = body.relationships?.space.data?.guid ?? null;
    if (space !== null) await demandSpace(queries, space);
    const made = await createWebhook(queries, { ...body, space, allowPrivate: body.allow_private });
    if (made === undefined) throw nameTaken(body.name);
    return { status: 201, body: { ...present(made.webhook), secret: made.secret } };
  },
});

const get = route({
  method: 'GET',
  path: '/stager/v1/webhooks/:guid',
  summary: 'Get a webhook',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: Shown },
  handle: async ({ params, caller, service }) => {
    demandReader(caller);
    return { status: 200, body: present(await existing(service.database.queries, params.guid)) };
  },
});

const update = route({
  method: 'PATCH',
  path: '/stager/v1/webhooks/:guid',
  summary: 'Change a webhook, or turn it off',
  access: 'signed-in',
  params: ByGuid,
  body: Changes,
  answers: { 200: Shown },
  handle: async ({ params, body, caller, service }) => {
    demandAdmin(caller);
    const { queries } = service.database;
    await existing(queries, params.guid);
    const changed = await updateWebhook(queries, params.guid, { ...body, allowPrivate: body.allow_private });
    if (changed === undefined) throw nameTaken(body.name ?? '');
    return { status: 200, body: present(changed) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/stager/v1/webhooks/:guid',
  summary: 'Delete a webhook and its pending deliveries',
  access: 'signed-in',
  params: ByGuid,
  answers: { 204: null },
  handle: async ({ params, caller, service }) => {
    demandAdmin(caller);
    const { queries } = service.database;
    await existing(queries, params.guid);
    await deleteWebhook(queries, params.guid);
    return { status: 204 };
  },
});

const rotate = route({
  method: 'POST',
  path: '/stager/v1/webhooks/:guid/actions/rotate',
  summary: 'Give a webhook a new secret; earlier ones also sign for overlap_in_seconds (a day)',
  access: 'signed-in',
  params: ByGuid,
  body: z.strictObject({ overlap_in_seconds: z.int().min(0).max(LONGEST_OVERLAP_S).optional() }),
  answers: { 200: WithSecret },
  handle: async ({ params, body, caller, service }) => {
    demandAdmin(caller);
    const { queries } = service.database;
    await existing(queries, params.guid);
    const secret = await rotateSecret(queries, params.guid, body.overlap_in_seconds ?? OVERLAP_S);
    return { status: 200, body: { ...present(await existing(queries, params.guid)), secret } };
  },
});

const deliveries = route({
  method: 'GET',
  path: '/stager/v1/webhooks/:guid/deliveries',
  summary: 'List the deliveries of a webhook, newest first; state=DEAD for those given up',
  access: 'signed-in',
  params: ByGuid,
  query: z.strictObject({ state: z.enum(['PENDING', 'DELIVERED', 'DEAD']).optional() }),
  answers: { 200: z.object({ deliveries: z.array(DeliveryShown) }) },
  handle: async ({ params, query, caller, service }) => {
    demandReader(caller);
    const { queries } = service.database;
    await existing(queries, params.guid);
    const rows = await listDeliveries(queries, params.guid, { state: query.state, most: MOST });
    return { status: 200, body: { deliveries: rows.map(presentDelivery) } };
  },
});

const retry = route({
  method: 'POST',
  path: '/stager/v1/webhooks/:guid/deliveries/:delivery/actions/retry',
  summary: 'Send a delivery again that was given up',
  access: 'signed-in',
  params: ByGuid.extend({ delivery: GuidText }),
  answers: { 202: null },
  handle: async ({ params, caller, service }) => {
    demandAdmin(caller);
    await existing(service.database.queries, params.guid);
    if (!(await retryDelivery(service.database, params.guid, params.delivery))) throw notFound('Delivery');
    service.deliveries.wake();
    return { status: 202 };
  },
});

export const webhookRoutes = [list, create, get, update, remove, rotate, deliveries, retry];

function demandAdmin(caller: Caller): void {
  if (!isAdmin(caller)) throw notAuthorized();
}

function demandReader(caller: Caller): void {
  if (!isAdmin(caller) && !isReadOnlyAdmin(caller)) throw notAuthorized();
}

async function existing(queries: Queries, guid: Guid): Promise<Webhook> {
  const found = await findWebhook(queries, guid);
  if (found === undefined) throw notFound('Webhook');
  return found;
}

async function demandSpace(queries: Queries, guid: Guid): Promise<void> {
  const found = await queries.selectFrom('spaces').select('guid').where('guid', '=', guid).executeTakeFirst();
  if (found === undefined) throw unprocessable('Invalid space. Ensure that the space exists.');
}

function nameTaken(name: string) {
  return unprocessable(`Webhook name '${name}' is taken.`);
}

function present(row: Webhook): z.input<typeof Shown> {
  return {
    ...resourceFields(row),
    name: row.name,
    url: row.url,
    allow_private: row.allow_private,
    enabled: row.enabled,
    space: row.space_guid === null ? null : { guid: row.space_guid },
    secrets: livingSecrets(row.secrets, new Date()).length,
  };
}

function presentDelivery(row: Delivery): z.input<typeof DeliveryShown> {
  const { build_end_id: event, state, attempts, last_status, last_error } = row;
  return { ...resourceFields(row), event, state, attempts, last_status, last_error };
}
