/** `/v3/feature_flags`. */
import { z } from 'zod';
import { mayAdminister } from '../../../../service/access/may.ts';
import { globalStanding } from '../../../../service/access/standing.ts';
import {
  type FeatureFlag,
  findFlag,
  listFlags,
  setFlag,
} from '../../../../service/resources/feature-flags.ts';
import type { Queries } from '../../../../service/state/database.ts';
import { notFound } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { pageParameters } from '../../route/list-query.ts';
import { instantText, Links, listOf, presentList } from '../../route/present.ts';

const Flag = z
  .object({
    name: z.string(),
    enabled: z.boolean(),
    updated_at: z.string().nullable(),
    custom_error_message: z.string().nullable(),
    links: Links,
  })
  .describe('feature flag');

const ByName = z.object({ name: z.string().max(200) });

const list = route({
  method: 'GET',
  path: '/v3/feature_flags',
  summary: 'List feature flags',
  access: 'signed-in',
  query: z.strictObject({ ...pageParameters(['name'], 'name') }),
  answers: { 200: listOf(Flag) },
  handle: async ({ query, service, base, url }) => {
    const all = await listFlags(service.database.queries);
    const ordered = query.order_by.direction === 'desc' ? all.toReversed() : all;
    const from = (query.page - 1) * query.per_page;
    const page = { rows: ordered.slice(from, from + query.per_page), total: all.length };
    return { status: 200, body: presentList(page, { base, url, query }, (flag) => presentFlag(flag, base)) };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/feature_flags/:name',
  summary: 'Get a feature flag',
  access: 'signed-in',
  params: ByName,
  answers: { 200: Flag },
  handle: async ({ params, service, base }) => ({
    status: 200,
    body: presentFlag(await existing(service.database.queries, params.name), base),
  }),
});

const update = route({
  method: 'PATCH',
  path: '/v3/feature_flags/:name',
  summary: 'Switch a feature flag',
  access: 'signed-in',
  params: ByName,
  body: z.strictObject({
    enabled: z.boolean().optional(),
    custom_error_message: z.string().min(1).max(250).nullable().optional(),
  }),
  answers: { 200: Flag },
  handle: async ({ params, body, caller, service, base }) => {
    const { queries } = service.database;
    demand(mayAdminister, globalStanding(caller));
    await setFlag(queries, await existing(queries, params.name), body);
    return { status: 200, body: presentFlag(await existing(queries, params.name), base) };
  },
});

export const featureFlagRoutes = [list, get, update];

async function existing(queries: Queries, name: string): Promise<FeatureFlag> {
  const flag = await findFlag(queries, name);
  if (flag === undefined) throw notFound('Feature flag');
  return flag;
}

function presentFlag(flag: FeatureFlag, base: string): z.input<typeof Flag> {
  const { name, enabled, custom_error_message, updated_at } = flag;
  return {
    name,
    enabled,
    updated_at: updated_at === null ? null : instantText(updated_at),
    custom_error_message,
    links: { self: { href: `${base}/v3/feature_flags/${name}` } },
  };
}
