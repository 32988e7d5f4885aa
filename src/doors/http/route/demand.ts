/** Answers 403 when a permission check of may.ts says no. */
import type { Standing } from '../../../service/access/standing.ts';
import { CfError, notAuthorized } from './cf-errors.ts';

/** For what changes something: in a suspended organization only an admin may. @throws CfError. */
export function demand(may: (standing: Standing) => boolean, standing: Standing): void {
  if (!may(standing)) throw notAuthorized();
  if (standing.suspended && !standing.admin) {
    throw new CfError('OrgSuspended', 'The organization is suspended');
  }
}

/** For what only reads. @throws CfError. */
export function demandRead(may: (standing: Standing) => boolean, standing: Standing): void {
  if (!may(standing)) throw notAuthorized();
}
