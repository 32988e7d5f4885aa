/** Deletes an app and what it owns: repeated after a crash, it goes on where it was. */
import type { Guid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';

/** Nobody finds it from here on, and nothing new is made for it. */
export async function markDeleting(queries: Queries, guid: Guid): Promise<void> {
  await queries.updateTable('apps').set({ deleting: true }).where('guid', '=', guid).execute();
}

/** Ends what is being staged of an app and removes bytes that only it uses. Can be repeated. */
export type ForgetApp = (app: Guid) => Promise<void>;

/** Processes, packages, builds, droplets, bindings and destinations go with its row. */
export async function deleteApp(queries: Queries, guid: Guid, forget: ForgetApp): Promise<void> {
  await markDeleting(queries, guid);
  await forget(guid);
  await queries.transaction().execute(async (transaction) => {
    await transaction.deleteFrom('service_credential_bindings').where('app_guid', '=', guid).execute();
    await transaction.deleteFrom('route_destinations').where('app_guid', '=', guid).execute();
    await transaction.deleteFrom('apps').where('guid', '=', guid).execute();
  });
}
