/** The service instances that a manifest asks for, bound to the app. */
import { newGuid } from '../../words/ids.ts';
import type { App } from '../resources/apps.ts';
import type { Queries } from '../state/database.ts';
import { ManifestFailure } from './failure.ts';

/** One that is bound already stays so. @throws ManifestFailure for a service that is not in the app's space. */
export async function bindServices(
  queries: Queries,
  app: App,
  services: readonly { readonly name: string; readonly binding_name: string | undefined }[],
): Promise<void> {
  for (const { name, binding_name } of services) {
    const instance = await queries
      .selectFrom('service_instances')
      .select('guid')
      .where('space_guid', '=', app.space_guid)
      .where('name', '=', name)
      .executeTakeFirst();
    if (instance === undefined) {
      throw new ManifestFailure(`For application '${app.name}': Service instance '${name}' not found`);
    }
    const bound = await queries
      .selectFrom('service_credential_bindings')
      .select('guid')
      .where('app_guid', '=', app.guid)
      .where('service_instance_guid', '=', instance.guid)
      .executeTakeFirst();
    if (bound !== undefined) continue;
    await queries
      .insertInto('service_credential_bindings')
      .values({
        guid: newGuid(),
        type: 'app',
        name: binding_name ?? null,
        service_instance_guid: instance.guid,
        app_guid: app.guid,
      })
      .execute();
  }
}
