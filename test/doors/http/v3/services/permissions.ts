import type { Api } from '../../support/api.ts';
import { SEES_SPACE } from '../../support/apps.ts';
import type { PermissionRow, PermissionTable } from '../../support/permissions.ts';
import { bindingBody, instanceBody, newBinding, newInstance } from '../../support/services.ts';

const INSTANCES = '/v3/service_instances';
const BINDINGS = '/v3/service_credential_bindings';
type Make = (api: Api) => Promise<string>;

const list = (path: string, make: Make): PermissionRow => ({
  status: 200,
  may: 'everyone',
  sees: SEES_SPACE,
  listed: make,
  request: () => ({ path: `${path}?per_page=5000` }),
});
const read = (path: string, make: Make, tail = '', status = 200): PermissionRow => ({
  status,
  may: SEES_SPACE,
  request: async (api) => ({ path: `${path}/${await make(api)}${tail}` }),
});
const secret = (path: string, make: Make, tail: string): PermissionRow => ({
  ...read(path, make, tail),
  may: ['admin', 'admin_read_only', 'space_developer'],
  forbidden: SEES_SPACE,
});
const develop = (path: string, make: Make, status: number, body?: unknown): PermissionRow => ({
  status,
  may: ['admin', 'space_developer'],
  forbidden: SEES_SPACE,
  request: async (api) => ({ path: `${path}/${await make(api)}`, body }),
});
const label = { metadata: { labels: { seen: 'yes' } } };

export const servicePermissions: PermissionTable = {
  [`GET ${INSTANCES}`]: list(INSTANCES, newInstance),
  [`GET ${INSTANCES}/:guid`]: read(INSTANCES, newInstance),
  [`GET ${INSTANCES}/:guid/credentials`]: secret(INSTANCES, newInstance, '/credentials'),
  [`GET ${INSTANCES}/:guid/parameters`]: read(INSTANCES, newInstance, '/parameters', 400),
  [`POST ${INSTANCES}`]: {
    status: 201,
    may: ['admin', 'space_developer'],
    forbidden: SEES_SPACE,
    others: 422,
    request: (api) => ({ path: INSTANCES, body: instanceBody(api) }),
  },
  [`PATCH ${INSTANCES}/:guid`]: develop(INSTANCES, newInstance, 200, label),
  [`DELETE ${INSTANCES}/:guid`]: develop(INSTANCES, newInstance, 204),
  [`GET ${BINDINGS}`]: list(BINDINGS, newBinding),
  [`GET ${BINDINGS}/:guid`]: read(BINDINGS, newBinding),
  [`GET ${BINDINGS}/:guid/details`]: secret(BINDINGS, newBinding, '/details'),
  [`POST ${BINDINGS}`]: {
    status: 201,
    may: ['admin', 'space_developer'],
    forbidden: SEES_SPACE,
    others: 422,
    request: async (api) => ({ path: BINDINGS, body: await bindingBody(api) }),
  },
  [`PATCH ${BINDINGS}/:guid`]: develop(BINDINGS, newBinding, 200, label),
  [`DELETE ${BINDINGS}/:guid`]: develop(BINDINGS, newBinding, 204),
};
