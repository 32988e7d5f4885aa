/** Service instances and bindings as Cloud Foundry shows them. What users provide is made at once: it never waits. */
import type { z } from 'zod';
import type { ServiceBindingRow as BindingRow } from '../../../../service/resources/service-bindings.ts';
import type { ServiceInstance as Row } from '../../../../service/resources/service-instances.ts';
import { instantText, metadataOf, resourceFields, toOne } from '../../route/present.ts';
import type { ServiceBindingAnswer, ServiceInstanceAnswer } from './schema.ts';

export function presentServiceInstance(row: Row, base: string): z.input<typeof ServiceInstanceAnswer> {
  const self = `${base}/v3/service_instances/${row.guid}`;
  return {
    ...resourceFields(row),
    name: row.name,
    type: 'user-provided',
    tags: [...row.tags],
    last_operation: succeeded(row),
    syslog_drain_url: row.syslog_drain_url,
    route_service_url: row.route_service_url,
    relationships: { space: toOne(row.space_guid) },
    metadata: metadataOf(row),
    links: {
      self: { href: self },
      space: { href: `${base}/v3/spaces/${row.space_guid}` },
      credentials: { href: `${self}/credentials` },
      service_credential_bindings: {
        href: `${base}/v3/service_credential_bindings?service_instance_guids=${row.guid}`,
      },
      service_route_bindings: {
        href: `${base}/v3/service_route_bindings?service_instance_guids=${row.guid}`,
      },
    },
  };
}

export function presentServiceBinding(row: BindingRow, base: string): z.input<typeof ServiceBindingAnswer> {
  const self = `${base}/v3/service_credential_bindings/${row.guid}`;
  return {
    ...resourceFields(row),
    name: row.name,
    type: row.type,
    // Without a sentence, as there: `cf service` shows it in a column.
    last_operation: { ...succeeded(row), description: '' },
    relationships: { app: toOne(row.app_guid), service_instance: toOne(row.service_instance_guid) },
    metadata: metadataOf(row),
    links: {
      self: { href: self },
      details: { href: `${self}/details` },
      service_instance: { href: `${base}/v3/service_instances/${row.service_instance_guid}` },
      ...(row.app_guid !== null && { app: { href: `${base}/v3/apps/${row.app_guid}` } }),
    },
  };
}

function succeeded(row: { readonly created_at: Date; readonly updated_at: Date }) {
  const [created, updated] = [instantText(row.created_at), instantText(row.updated_at)];
  const type = created === updated ? 'create' : 'update';
  return {
    type,
    state: 'succeeded',
    description: 'Operation succeeded',
    created_at: created,
    updated_at: updated,
  };
}
