import { newApp, SEES_SPACE } from '../../support/apps.ts';
import type { PermissionRow, PermissionTable } from '../../support/permissions.ts';

const YAML = { 'content-type': 'application/x-yaml' };
const forSpace = (path: string, status: number): PermissionRow => ({
  status,
  may: ['admin', 'space_developer'],
  forbidden: SEES_SPACE,
  request: ({ world }) => ({
    path: `/v3/spaces/${world.space}/${path}`,
    body: 'applications:\n- name: by-manifest\n',
    headers: YAML,
  }),
});

export const manifestPermissions: PermissionTable = {
  'POST /v3/spaces/:guid/actions/apply_manifest': forSpace('actions/apply_manifest', 202),
  'POST /v3/spaces/:guid/manifest_diff': forSpace('manifest_diff', 201),
  'GET /v3/apps/:guid/manifest': {
    status: 200,
    may: ['admin', 'admin_read_only', 'space_developer'],
    forbidden: SEES_SPACE,
    request: async (api) => ({ path: `/v3/apps/${await newApp(api)}/manifest` }),
  },
};
