/** What is done to service instances and bindings, as audit events. */
import type { Caller } from '../../../../service/access/caller.ts';
import type { AppEvent, TargetEvent } from '../../../../service/resources/audit.ts';
import type { ServiceInstance } from '../../../../service/resources/service-instances.ts';
import type { Guid } from '../../../../words/ids.ts';

export function eventOnInstance(
  what: 'create' | 'update' | 'delete',
  { guid, name, space_guid: space }: Pick<ServiceInstance, 'guid' | 'name' | 'space_guid'>,
  caller: Caller,
): TargetEvent {
  const type = 'user_provided_service_instance';
  return { type: `audit.${type}.${what}`, caller, target: { guid, type, name }, space };
}

export function eventOnBinding(
  what: 'create' | 'delete',
  { app, guid }: { readonly app: AppEvent['app']; readonly guid: Guid },
  caller: Caller,
): AppEvent {
  const { guid: target, space_guid } = app;
  return {
    type: `audit.service_binding.${what}`,
    caller,
    app: { guid: target, space_guid },
    facts: { service_binding_guid: guid },
  };
}
