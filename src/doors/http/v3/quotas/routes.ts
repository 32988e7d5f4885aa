/**
 * Quotas and isolation segments: `cf org` and `cf space` ask for them. Every organization has the one quota `default`,
 * which limits nothing; there are no others, and no isolation segments.
 */
import { z } from 'zod';
import { findOrganization, organizationsOf } from '../../../../service/resources/organizations.ts';
import { notFound } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { fixedListQuery, listQuery, texts } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { Links, listOf, presentList, ResourceFields, ToOne, toOne } from '../../route/present.ts';
import { DEFAULT_QUOTA } from './default-quota.ts';

const Limit = z.int().nullable();
const Quota = z
  .object({
    ...ResourceFields,
    name: z.string(),
    apps: z.object({
      total_memory_in_mb: Limit,
      per_process_memory_in_mb: Limit,
      total_instances: Limit,
      per_app_tasks: Limit,
      log_rate_limit_in_bytes_per_second: Limit,
    }),
    services: z.object({
      paid_services_allowed: z.boolean(),
      total_service_instances: Limit,
      total_service_keys: Limit,
    }),
    routes: z.object({ total_routes: Limit, total_reserved_ports: Limit }),
    domains: z.object({ total_domains: Limit }),
    relationships: z.object({ organizations: z.object({ data: z.array(z.object({ guid: z.string() })) }) }),
    links: Links,
  })
  .describe('organization quota');

function presentQuota(base: string): z.input<typeof Quota> {
  return {
    guid: DEFAULT_QUOTA,
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
    name: 'default',
    apps: {
      total_memory_in_mb: null,
      per_process_memory_in_mb: null,
      total_instances: null,
      per_app_tasks: null,
      log_rate_limit_in_bytes_per_second: null,
    },
    services: { paid_services_allowed: true, total_service_instances: null, total_service_keys: null },
    routes: { total_routes: null, total_reserved_ports: null },
    domains: { total_domains: null },
    relationships: { organizations: { data: [] } },
    links: { self: { href: `${base}/v3/organization_quotas/${DEFAULT_QUOTA}` } },
  };
}

const QuotasQuery = fixedListQuery({ names: texts.optional(), organization_guids: texts.optional() });

const listQuotas = route({
  method: 'GET',
  path: '/v3/organization_quotas',
  summary: 'List the quotas of organizations: there is one, which limits nothing',
  access: 'signed-in',
  query: QuotasQuery,
  answers: { 200: listOf(Quota) },
  handle: async ({ query, caller, service, base, url }) => {
    const { names = ['default'], guids = [DEFAULT_QUOTA], organization_guids: owners, page } = query;
    const isOfSome =
      owners === undefined || (await organizationsOf(service.database.queries, caller, owners)).length > 0;
    const rows = isOfSome && names.includes('default') && guids.includes(DEFAULT_QUOTA) ? [base] : [];
    const found = { rows: page === 1 ? rows : [], total: rows.length };
    return { status: 200, body: presentList(found, { base, url, query }, presentQuota) };
  },
});

const getQuota = route({
  method: 'GET',
  path: '/v3/organization_quotas/:guid',
  summary: 'Get a quota of organizations',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: Quota },
  handle: async ({ params, base }) => {
    if (params.guid !== DEFAULT_QUOTA) throw notFound('Organization quota');
    return { status: 200, body: presentQuota(base) };
  },
});

const NONE: readonly never[] = [];

const emptyLists = (
  [
    ['/v3/space_quotas', 'List the quotas of spaces: there are none'],
    ['/v3/isolation_segments', 'List isolation segments: there are none'],
    ['/v3/security_groups', "List security groups: there are none, networks are the operator's"],
  ] as const
).map(([path, summary]) =>
  route({
    method: 'GET',
    path,
    summary,
    access: 'signed-in',
    query: listQuery(
      {
        names: texts.optional(),
        organization_guids: texts.optional(),
        space_guids: texts.optional(),
        running_space_guids: texts.optional(),
        staging_space_guids: texts.optional(),
        globally_enabled_running: z.string().optional(),
        globally_enabled_staging: z.string().optional(),
      },
      ['name'],
    ),
    answers: { 200: listOf(z.never()) },
    handle: async (call) => ({
      status: 200,
      body: presentList({ rows: NONE, total: 0 }, call, (row) => row),
    }),
  }),
);

const defaultSegment = route({
  method: 'GET',
  path: '/v3/organizations/:guid/relationships/default_isolation_segment',
  summary: 'Say that an organization has no isolation segment',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: ToOne.extend({ links: Links }) },
  handle: async ({ params, caller, service, base }) => {
    const found = await findOrganization(service.database.queries, caller, params.guid);
    if (found === undefined) throw notFound('Organization');
    const href = `${base}/v3/organizations/${found.guid}/relationships/default_isolation_segment`;
    return { status: 200, body: { ...toOne(null), links: { self: { href } } } };
  },
});

export const quotaRoutes = [listQuotas, getQuota, ...emptyLists, defaultSegment];
