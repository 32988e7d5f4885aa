/** `fields[…]` of service instances, and `include` of bindings. */
import type { ServiceBindingRow } from '../../../../service/resources/service-bindings.ts';
import type { ServiceInstance } from '../../../../service/resources/service-instances.ts';
import type { Queries } from '../../../../service/state/database.ts';
import { presentApp } from '../apps/present.ts';
import { presentServiceInstance } from './present.ts';
import type { FieldsQuery } from './schema.ts';

/** Spaces and organizations with the fields that were asked for; plans, offerings and brokers there are none. */
export async function fieldsOfInstances(
  queries: Queries,
  rows: readonly ServiceInstance[],
  query: FieldsQuery,
) {
  if (!Object.entries(query).some(([key, value]) => key.startsWith('fields[') && value !== undefined))
    return {};
  const [space, organization] = [query['fields[space]'], query['fields[space.organization]']];
  const guids = [...new Set(rows.map((row) => row.space_guid))];
  const places =
    guids.length === 0 || (space ?? organization) === undefined
      ? []
      : await queries
          .selectFrom('spaces')
          .innerJoin('organizations', 'organizations.guid', 'spaces.organization_guid')
          .where('spaces.guid', 'in', guids)
          .select([
            'spaces.guid',
            'spaces.name',
            'organizations.guid as organization_guid',
            'organizations.name as organization_name',
          ])
          .execute();
  const organizations = new Map(places.map((it) => [it.organization_guid, it.organization_name]));
  return {
    included: {
      ...(space !== undefined && {
        spaces: places.map((it) =>
          chosen(
            {
              guid: it.guid,
              name: it.name,
              'relationships.organization': { organization: { data: { guid: it.organization_guid } } },
            },
            space,
          ),
        ),
      }),
      ...(organization !== undefined && {
        organizations: [...organizations].map(([guid, name]) => chosen({ guid, name }, organization)),
      }),
      service_plans: [],
      service_offerings: [],
      service_brokers: [],
    },
  };
}

/** Only the fields that were asked for; a relationship stands below `relationships`. */
function chosen(all: Readonly<Record<string, unknown>>, asked: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(all)
      .filter(([key]) => asked.includes(key))
      .map(([key, value]) => (key.startsWith('relationships.') ? ['relationships', value] : [key, value])),
  );
}

export async function includedWithBindings(
  queries: Queries,
  rows: readonly ServiceBindingRow[],
  { include, base }: { readonly include: readonly string[] | undefined; readonly base: string },
) {
  if (include === undefined) return {};
  const appGuids = [...new Set(rows.flatMap((row) => row.app_guid ?? []))];
  const instanceGuids = [...new Set(rows.map((row) => row.service_instance_guid))];
  const apps =
    !include.includes('app') || appGuids.length === 0
      ? []
      : await queries.selectFrom('apps').selectAll().where('guid', 'in', appGuids).orderBy('id').execute();
  const instances =
    !include.includes('service_instance') || instanceGuids.length === 0
      ? []
      : await queries
          .selectFrom('service_instances')
          .selectAll()
          .where('guid', 'in', instanceGuids)
          .orderBy('id')
          .execute();
  return {
    included: {
      ...(include.includes('app') && { apps: apps.map((row) => presentApp(row, base)) }),
      ...(include.includes('service_instance') && {
        service_instances: instances.map((row) => presentServiceInstance(row, base)),
      }),
    },
  };
}
