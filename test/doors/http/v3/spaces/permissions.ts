import { SPACE_ROLES } from '../../../../../src/service/state/schema-tenancy.ts';
import { type Api, guidIn } from '../../support/api.ts';
import type { PermissionRow, PermissionTable } from '../../support/permissions.ts';
import { ADMINS } from '../../support/world.ts';

const SEES = [...ADMINS, 'organization_manager', ...SPACE_ROLES] as const;

const newName = (): string => `space-${crypto.randomUUID()}`;

export async function newSpace({ ask, world }: Api): Promise<string> {
  const relationships = { organization: { data: { guid: world.organization } } };
  return guidIn(await ask('POST', '/v3/spaces', { body: { name: newName(), relationships } }));
}

const reads = (part: string): PermissionRow => ({
  status: 200,
  may: SEES,
  request: ({ world }) => ({ path: `/v3/spaces/${world.space}${part}` }),
});

export const spacePermissions: PermissionTable = {
  'GET /v3/spaces': {
    status: 200,
    may: 'everyone',
    sees: SEES,
    listed: ({ world }) => world.space,
    request: () => ({ path: '/v3/spaces?per_page=5000' }),
  },
  'GET /v3/spaces/:guid': reads(''),
  'GET /v3/spaces/:guid/features': reads('/features'),
  'GET /v3/spaces/:guid/features/:name': reads('/features/ssh'),
  'GET /v3/spaces/:guid/relationships/isolation_segment': reads('/relationships/isolation_segment'),
  'GET /v3/spaces/:guid/running_security_groups': reads('/running_security_groups'),
  'GET /v3/spaces/:guid/staging_security_groups': reads('/staging_security_groups'),
  'GET /v3/spaces/:guid/users': reads('/users'),
  'POST /v3/spaces': {
    status: 201,
    may: ['admin', 'organization_manager'],
    forbidden: [
      'admin_read_only',
      'global_auditor',
      'organization_user',
      'organization_auditor',
      'organization_billing_manager',
      ...SPACE_ROLES,
    ],
    // An organization that is not visible can't be named.
    others: 422,
    request: ({ world }) => ({
      path: '/v3/spaces',
      body: { name: newName(), relationships: { organization: { data: { guid: world.organization } } } },
    }),
  },
  'PATCH /v3/spaces/:guid': {
    status: 200,
    may: ['admin', 'organization_manager', 'space_manager'],
    forbidden: SEES,
    request: ({ world }) => ({
      path: `/v3/spaces/${world.space}`,
      body: { metadata: { annotations: { seen: 'yes' } } },
    }),
  },
  'PATCH /v3/spaces/:guid/features/:name': {
    status: 200,
    may: ['admin', 'organization_manager', 'space_manager'],
    forbidden: SEES,
    request: ({ world }) => ({ path: `/v3/spaces/${world.space}/features/ssh`, body: { enabled: true } }),
  },
  'DELETE /v3/spaces/:guid': {
    status: 202,
    may: ['admin', 'organization_manager'],
    // One in which nobody has a role.
    forbidden: ['admin_read_only', 'global_auditor'],
    request: async (api) => ({ path: `/v3/spaces/${await newSpace(api)}` }),
  },
};
