/** `/v3/domains`, and those of an organization. */
import { mayAdminister, mayManageOrganization } from '../../../../service/access/may.ts';
import {
  globalStanding,
  type Standing,
  standingInOrganization,
} from '../../../../service/access/standing.ts';
import {
  createDomain,
  type Domain as DomainRow,
  defaultDomain,
  findDomain,
  labelDomain,
  listDomains,
} from '../../../../service/resources/domains.ts';
import { findOrganization } from '../../../../service/resources/organizations.ts';
import { routeAt } from '../../../../service/resources/routes.ts';
import type { Guid } from '../../../../words/ids.ts';
import { notFound, notImplemented, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { accepted } from '../../route/jobs.ts';
import { pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import type { Call } from '../../route/route.ts';
import { presentDomain } from './present.ts';
import {
  CreateDomain,
  DomainAnswer,
  Domains,
  DomainsQuery,
  OrganizationDomainsQuery,
  Reservation,
  ReservationQuery,
  UpdateDomain,
} from './schema.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>;

const list = route({
  method: 'GET',
  path: '/v3/domains',
  summary: 'List domains',
  access: 'signed-in',
  query: DomainsQuery,
  answers: { 200: Domains },
  handle: async ({ query, caller, service, base, url }) => {
    const by = { filters: query, paging: pagingOf(query) };
    const page = await listDomains(service.database.queries, caller, by);
    return { status: 200, body: presentList(page, { base, url, query }, (row) => presentDomain(row, base)) };
  },
});

const listOfOrganization = route({
  method: 'GET',
  path: '/v3/organizations/:guid/domains',
  summary: 'List the domains that an organization may use',
  access: 'signed-in',
  params: ByGuid,
  query: OrganizationDomainsQuery,
  answers: { 200: Domains },
  handle: async ({ params, query, caller, service, base, url }) => {
    const { queries } = service.database;
    if ((await findOrganization(queries, caller, params.guid)) === undefined) throw notFound('Organization');
    const by = { filters: { ...query, usableIn: params.guid }, paging: pagingOf(query) };
    const page = await listDomains(queries, caller, by);
    return { status: 200, body: presentList(page, { base, url, query }, (row) => presentDomain(row, base)) };
  },
});

const defaultOfOrganization = route({
  method: 'GET',
  path: '/v3/organizations/:guid/domains/default',
  summary: 'Get the domain that apps of an organization get when nothing is said',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: DomainAnswer },
  handle: async ({ params, caller, service, base }) => {
    const { queries } = service.database;
    if ((await findOrganization(queries, caller, params.guid)) === undefined) throw notFound('Organization');
    const found = await defaultDomain(queries);
    if (found === undefined) throw notFound('Domain');
    return { status: 200, body: presentDomain(found, base) };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/domains/:guid',
  summary: 'Get a domain',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: DomainAnswer },
  handle: async (call) => ({
    status: 200,
    body: presentDomain(await visibleDomain(call, call.params.guid), call.base),
  }),
});

const create = route({
  method: 'POST',
  path: '/v3/domains',
  summary: 'Create a domain, shared or of one organization',
  access: 'signed-in',
  body: CreateDomain,
  answers: { 201: DomainAnswer },
  handle: async ({ body, caller, service, base }) => {
    const { queries } = service.database;
    if (body.router_group !== undefined) throw notImplemented('router groups');
    const organization = body.relationships?.organization?.data.guid;
    if (organization === undefined) demand(mayAdminister, globalStanding(caller));
    else {
      if ((await findOrganization(queries, caller, organization)) === undefined) {
        throw unprocessable(
          `Organization with guid '${organization}' does not exist or you do not have access to it.`,
        );
      }
      demand(mayManageOrganization, await standingInOrganization(queries, caller, organization));
    }
    const created = await createDomain(queries, {
      name: body.name,
      internal: body.internal ?? undefined,
      organization,
      metadata: body.metadata,
    });
    if (created === undefined) throw unprocessable(`The domain name "${body.name}" is already in use`);
    return { status: 201, body: presentDomain(created, base) };
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/domains/:guid',
  summary: 'Label a domain',
  access: 'signed-in',
  params: ByGuid,
  body: UpdateDomain,
  answers: { 200: DomainAnswer },
  handle: async (call) => {
    const found = await domainFor(call, call.params.guid);
    const labelled = await labelDomain(call.service.database.queries, found.guid, call.body.metadata);
    return { status: 200, body: presentDomain(labelled, call.base) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/domains/:guid',
  summary: 'Delete a domain and its routes, in a job',
  access: 'signed-in',
  params: ByGuid,
  answers: { 202: null },
  handle: async (call) => {
    const { guid } = await domainFor(call, call.params.guid);
    return accepted(call.base, await call.service.jobs.start('domain.delete', { guid }, call.caller));
  },
});

const reservation = route({
  method: 'GET',
  path: '/v3/domains/:guid/route_reservations',
  summary: 'Whether a route has an address',
  access: 'signed-in',
  params: ByGuid,
  query: ReservationQuery,
  answers: { 200: Reservation },
  handle: async (call) => {
    const { guid } = await visibleDomain(call, call.params.guid);
    const found = await routeAt(call.service.database.queries, { domain: guid, ...call.query });
    return { status: 200, body: { matching_route: found !== undefined } };
  },
});

export const domainRoutes = [
  list,
  listOfOrganization,
  defaultOfOrganization,
  get,
  create,
  update,
  remove,
  reservation,
];

async function visibleDomain({ caller, service }: Asking, guid: Guid): Promise<DomainRow> {
  const found = await findDomain(service.database.queries, caller, guid);
  if (found === undefined) throw notFound('Domain');
  return found;
}

async function domainFor(asking: Asking, guid: Guid): Promise<DomainRow> {
  const found = await visibleDomain(asking, guid);
  const { organization_guid: organization } = found;
  const standing: Standing =
    organization === null
      ? globalStanding(asking.caller)
      : await standingInOrganization(asking.service.database.queries, asking.caller, organization);
  demand(organization === null ? mayAdminister : mayManageOrganization, standing);
  return found;
}
