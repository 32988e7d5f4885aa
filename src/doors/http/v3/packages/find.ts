/** Finds the package of a route, and checks that the caller may see it. */
import type { Caller } from '../../../../service/access/caller.ts';
import type { AppEvent } from '../../../../service/resources/audit.ts';
import { findPackage, type Package } from '../../../../service/resources/packages.ts';
import { finders } from '../../route/finders.ts';

/** A package for who sees it, who may change it and who may read all of it. */
export const {
  visible: visiblePackage,
  toChange: packageToChange,
  toRead: packageToRead,
} = finders('Package', findPackage, ({ space_guid }: Package) => space_guid);

/** What was done to one, as an event of its app. */
export function packageEvent(
  what: 'upload' | 'download' | 'delete',
  { guid, app_guid, space_guid }: Package,
  caller: Caller,
): AppEvent {
  const app = { guid: app_guid, space_guid };
  return { type: `audit.app.package.${what}`, caller, app, facts: { package_guid: guid } };
}
