/** `include=domain,space,space.organization` of routes: what their rows name, once each. */
import type { Route } from '../../../../service/resources/routes.ts';
import type { Queries } from '../../../../service/state/database.ts';
import { includedWithApps } from '../apps/included.ts';
import { presentDomain } from '../domains/present.ts';

export type RouteInclude = 'domain' | 'space' | 'space.organization';

/** What is in them is seen by whoever sees the route. */
export async function includedWithRoutes(
  queries: Queries,
  routes: readonly Route[],
  { include, base }: { readonly include: readonly RouteInclude[] | undefined; readonly base: string },
) {
  if (include === undefined) return {};
  const places = include.filter((word) => word !== 'domain');
  const of = await includedWithApps(queries, routes, {
    include: places.length === 0 ? undefined : places,
    base,
  });
  if (!include.includes('domain')) return of;
  const guids = [...new Set(routes.map((row) => row.domain_guid))];
  const domains =
    guids.length === 0
      ? []
      : await queries.selectFrom('domains').selectAll().where('guid', 'in', guids).orderBy('id').execute();
  return { included: { ...of.included, domains: domains.map((row) => presentDomain(row, base)) } };
}
