/**
 * Who may: one question, one function, over a {@link Standing}. Seeing is decided by visible.ts before any of these is
 * asked; what they answer with no is forbidden (403), not hidden.
 */
import type { RoleType } from '../state/schema-tenancy.ts';
import type { Standing } from './standing.ts';

type Question = (standing: Standing) => boolean;

function has({ roles }: Standing, ...wanted: readonly RoleType[]): boolean {
  return wanted.some((role) => roles.has(role));
}

/** Changes the platform: buildpacks, stacks, feature flags, variable groups, organizations, users. */
export const mayAdminister: Question = ({ admin }) => admin;

/** Reads what only operators see. */
export const mayReadPlatform: Question = ({ admin, readOnlyAdmin }) => admin || readOnlyAdmin;

/** Renames and labels an organization, makes spaces in it, gives roles in it. */
export const mayManageOrganization: Question = (standing) =>
  standing.admin || has(standing, 'organization_manager');

/** Deletes a space. */
export const mayDeleteSpace: Question = mayManageOrganization;

/** Renames and labels a space, gives roles in it. */
export const mayManageSpace: Question = (standing) =>
  standing.admin || has(standing, 'organization_manager', 'space_manager');

/** Makes, changes, stages and deletes apps and what belongs to them, binds services. */
export const mayDevelop: Question = (standing) => standing.admin || has(standing, 'space_developer');

/** Starts, stops, scales and maps apps of others. */
export const mayOperateApps: Question = (standing) =>
  standing.admin || has(standing, 'space_developer', 'space_supporter');

/** Reads variables, credentials, start commands and the bytes of packages and droplets. */
export const mayReadSecrets: Question = (standing) =>
  standing.admin || standing.readOnlyAdmin || has(standing, 'space_developer');

/** Downloads a droplet. */
export const mayDownloadDroplet: Question = mayReadSecrets;
