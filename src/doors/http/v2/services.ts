/** Rows of apps, service instances and bindings in the words of v2. */
import type { App } from '../../../service/resources/apps.ts';
import { listServiceBindings, type ServiceBindingRow } from '../../../service/resources/service-bindings.ts';
import type { ServiceInstance } from '../../../service/resources/service-instances.ts';
import { CfError } from '../route/cf-errors.ts';
import type { Call } from '../route/route.ts';
import { presentServiceInstance } from '../v3/services/present.ts';
import { EVERYTHING, presentV2 } from './present.ts';
import type { FilteredQuery } from './service-schema.ts';

const TYPE = 'user_provided_service_instance';

export function entityOfApp({ name, space_guid, desired_state, buildpacks }: App) {
  return { name, space_guid, state: desired_state, buildpack: buildpacks[0] ?? null };
}

export function entityOfBinding({ app_guid, service_instance_guid, name }: ServiceBindingRow) {
  return { app_guid, service_instance_guid, name };
}

/** @param bindings of this one and of others. */
export function entityOfInstance(row: ServiceInstance, bindings: readonly ServiceBindingRow[]) {
  const { last_operation } = presentServiceInstance(row, '');
  return {
    name: row.name,
    space_guid: row.space_guid,
    type: TYPE,
    tags: [...row.tags],
    last_operation,
    service_bindings: bindings
      .filter(({ service_instance_guid }) => service_instance_guid === row.guid)
      .map((binding) => presentV2('/v2/service_bindings', binding, entityOfBinding)),
    service_keys: [],
  };
}

export async function bindingsOf(
  { caller, service }: Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>,
  rows: readonly ServiceInstance[],
): Promise<readonly ServiceBindingRow[]> {
  const page = await listServiceBindings(service.database.queries, caller, {
    filters: { service_instance_guids: rows.map(({ guid }) => guid) },
    paging: EVERYTHING,
  });
  return page.rows;
}

/** `name:a;space_guid:b` as fields. @throws CfError BadQueryParameter for others than these. */
export function filtersOf<Name extends string>(
  { q }: FilteredQuery,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {};
  for (const part of q === undefined ? [] : q.split(';')) {
    const name = names.find((one) => part.startsWith(`${one}:`));
    if (name === undefined) {
      throw new CfError('BadQueryParameter', `The query parameter is invalid: q takes ${names.join(', ')}`);
    }
    found[name] = part.slice(name.length + 1);
  }
  return found;
}
