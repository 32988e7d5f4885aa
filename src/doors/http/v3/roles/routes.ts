/** `/v3/roles`. */
import { mayManageOrganization, mayManageSpace } from '../../../../service/access/may.ts';
import { standingInOrganization, standingInSpace } from '../../../../service/access/standing.ts';
import { findRole, isInSpaceOf, listRoles, type Role as Row } from '../../../../service/resources/roles.ts';
import { notFound, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { accepted } from '../../route/jobs.ts';
import { pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import type { CallContext } from '../../route/route.ts';
import { grantRole } from './grant.ts';
import { includedOf, presentRole } from './present.ts';
import { CreateRole, RoleAnswer, RoleQuery, Roles, RolesQuery } from './schema.ts';

const list = route({
  method: 'GET',
  path: '/v3/roles',
  summary: 'List roles',
  access: 'signed-in',
  query: RolesQuery,
  answers: { 200: Roles },
  handle: async (call) => {
    const { query, caller, service, base, url } = call;
    const by = { filters: query, paging: pagingOf(query) };
    const page = await listRoles(service.database.queries, caller, by);
    const body = presentList(page, { base, url, query }, (row) => presentRole(row, base));
    const included = await includedOf(call, page.rows, query.include);
    return { status: 200, body: { ...body, ...(included !== undefined && { included }) } };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/roles/:guid',
  summary: 'Get a role',
  access: 'signed-in',
  params: ByGuid,
  query: RoleQuery,
  answers: { 200: RoleAnswer },
  handle: async (call) => {
    const found = await visibleRole(call);
    const included = await includedOf(call, [found], call.query.include);
    return {
      status: 200,
      body: { ...presentRole(found, call.base), ...(included !== undefined && { included }) },
    };
  },
});

const create = route({
  method: 'POST',
  path: '/v3/roles',
  summary: 'Give a user a role',
  access: 'signed-in',
  body: CreateRole,
  answers: { 201: RoleAnswer },
  handle: async (call) => {
    const role = await grantRole(call, call.body);
    await note(call, role, 'add');
    return { status: 201, body: presentRole(role, call.base) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/roles/:guid',
  summary: 'Take a role from a user, in a job',
  access: 'signed-in',
  params: ByGuid,
  answers: { 202: null },
  handle: async (call) => {
    const { caller, service, base } = call;
    const { queries } = service.database;
    const role = await visibleRole(call);
    const { guid, type, user_guid, organization_guid: organization, space_guid: space } = role;
    if (organization !== null) {
      demand(mayManageOrganization, await standingInOrganization(queries, caller, organization));
      if (type === 'organization_user' && (await isInSpaceOf(queries, user_guid, organization))) {
        throw unprocessable(
          'Cannot delete organization_user role while user has roles in spaces in that organization.',
        );
      }
    }
    if (space !== null) demand(mayManageSpace, await standingInSpace(queries, caller, space));
    await note(call, role, 'remove');
    return accepted(base, await service.jobs.start('role.delete', { guid }, caller));
  },
});

export const roleRoutes = [list, get, create, remove];

async function note({ caller, service }: CallContext, role: Row, what: 'add' | 'remove'): Promise<void> {
  const { user_guid: guid, type, organization_guid: organization, space_guid: space } = role;
  const user = await service.database.queries
    .selectFrom('users')
    .select('username')
    .where('guid', '=', guid)
    .executeTakeFirst();
  const target = { guid, type: 'user', name: user?.username ?? '' };
  await service.audit.recordOn({ type: `audit.user.${type}_${what}`, caller, target, organization, space });
}

async function visibleRole(
  call: CallContext & { readonly params: { readonly guid: Row['guid'] } },
): Promise<Row> {
  const found = await findRole(call.service.database.queries, call.caller, call.params.guid);
  if (found === undefined) throw notFound('Role');
  return found;
}
