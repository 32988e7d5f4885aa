/** What packages, builds and droplets share: they belong to an app, and are seen by whoever sees its space. */
import { type RawBuilder, sql } from 'kysely';
import type { Caller } from '../access/caller.ts';
import { inVisibleSpace } from '../access/visible.ts';
import { anyOf, type CommonFilters, commonConditions } from '../state/list.ts';

export interface OfAppFilters extends CommonFilters {
  readonly app_guids?: readonly string[] | undefined;
  readonly space_guids?: readonly string[] | undefined;
  readonly organization_guids?: readonly string[] | undefined;
  readonly states?: readonly string[] | undefined;
}

/** Conditions of a query that joins `apps`; `table` is packages, builds or droplets. */
export function ofVisibleApps(table: string, caller: Caller, filters: OfAppFilters): RawBuilder<boolean> {
  const { app_guids, space_guids, organization_guids, states } = filters;
  const conditions = [
    sql<boolean>`not apps.deleting`,
    inVisibleSpace(caller, 'apps.space_guid'),
    commonConditions(table, filters),
    ...(app_guids === undefined ? [] : [anyOf('apps.guid', app_guids)]),
    ...(space_guids === undefined ? [] : [anyOf('apps.space_guid', space_guids)]),
    ...(states === undefined ? [] : [anyOf(`${table}.state`, states)]),
    ...(organization_guids === undefined
      ? []
      : [
          sql<boolean>`apps.space_guid in (select guid from spaces
            where organization_guid = any(${[...organization_guids]}::text[]))`,
        ]),
  ];
  return sql<boolean>`(${sql.join(conditions, sql` and `)})`;
}
