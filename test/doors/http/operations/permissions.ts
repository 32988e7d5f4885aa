import type { Api } from '../support/api.ts';
import { guidIn } from '../support/api.ts';
import type { PermissionTable } from '../support/permissions.ts';
import { SIGNED_IN } from '../support/world.ts';

const READERS = ['admin', 'admin_read_only'] as const;
const notIn = (may: readonly string[]) => SIGNED_IN.filter((actor) => !may.includes(actor));

async function hook(api: Api): Promise<string> {
  const body = { name: `hook-${crypto.randomUUID()}`, url: 'https://receiver.invalid/', enabled: false };
  return guidIn(await api.ask('POST', '/stager/v1/webhooks', { body }));
}

/** One that was given up. */
async function deadDelivery(api: Api): Promise<string> {
  const [webhook, delivery]: string[] = [await hook(api), crypto.randomUUID()];
  const { rows } = await api.service.database.run(
    `insert into build_ends (build_guid, app_guid, app_name, space_guid, state)
     values ('b', 'a', 'a', 's', 'STAGED') returning id`,
  );
  await api.service.database.run(
    `insert into webhook_deliveries (guid, webhook_guid, build_end_id, state) values ($1, $2, $3, 'DEAD')`,
    [delivery, webhook, Object(rows[0]).id],
  );
  return `/stager/v1/webhooks/${webhook}/deliveries/${delivery}/actions/retry`;
}

const ofHook =
  (rest: string, body?: object) =>
  async (api: Api): Promise<{ path: string; body?: object }> => ({
    path: `/stager/v1/webhooks/${await hook(api)}${rest}`,
    ...(body !== undefined && { body }),
  });

export const operationPermissions: PermissionTable = {
  'GET /healthz': { status: 200, may: 'anyone', request: () => ({ path: '/healthz' }) },
  'GET /readyz': { status: 200, may: 'anyone', request: () => ({ path: '/readyz' }) },
  'GET /metrics': { status: 200, may: 'anyone', request: () => ({ path: '/metrics' }) },
  'GET /stager/v1/events': { status: 200, may: 'everyone', request: () => ({ path: '/stager/v1/events' }) },
  // It does not end: who is let in is that of the list above.
  'GET /stager/v1/events/stream': {
    status: 400,
    may: 'everyone',
    request: () => ({ path: '/stager/v1/events/stream?after=none' }),
  },
  'GET /stager/v1/webhooks': {
    status: 200,
    may: READERS,
    forbidden: notIn(READERS),
    request: () => ({ path: '/stager/v1/webhooks' }),
  },
  'POST /stager/v1/webhooks': {
    status: 201,
    may: ['admin'],
    forbidden: notIn(['admin']),
    request: () => ({
      path: '/stager/v1/webhooks',
      body: { name: crypto.randomUUID(), url: 'https://receiver.invalid/', enabled: false },
    }),
  },
  'GET /stager/v1/webhooks/:guid': {
    status: 200,
    may: READERS,
    forbidden: notIn(READERS),
    request: ofHook(''),
  },
  'PATCH /stager/v1/webhooks/:guid': {
    status: 200,
    may: ['admin'],
    forbidden: notIn(['admin']),
    request: ofHook('', { enabled: false }),
  },
  'DELETE /stager/v1/webhooks/:guid': {
    status: 204,
    may: ['admin'],
    forbidden: notIn(['admin']),
    request: ofHook(''),
  },
  'POST /stager/v1/webhooks/:guid/actions/rotate': {
    status: 200,
    may: ['admin'],
    forbidden: notIn(['admin']),
    request: ofHook('/actions/rotate', {}),
  },
  'GET /stager/v1/webhooks/:guid/deliveries': {
    status: 200,
    may: READERS,
    forbidden: notIn(READERS),
    request: ofHook('/deliveries'),
  },
  'POST /stager/v1/webhooks/:guid/deliveries/:delivery/actions/retry': {
    status: 202,
    may: ['admin'],
    forbidden: notIn(['admin']),
    request: async (api) => ({ path: await deadDelivery(api) }),
  },
};
