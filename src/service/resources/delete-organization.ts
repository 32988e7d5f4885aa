/** Deletes organizations and spaces with what they own: repeated after a crash, it goes on where it was. */
import type { Guid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';
import { deleteApp, type ForgetApp } from './delete-app.ts';

export async function deleteOrganization(queries: Queries, guid: Guid, forget: ForgetApp): Promise<void> {
  const spaces = await queries
    .selectFrom('spaces')
    .select('guid')
    .where('organization_guid', '=', guid)
    .execute();
  for (const space of spaces) await deleteSpace(queries, space.guid, forget);
  await queries.deleteFrom('organizations').where('guid', '=', guid).execute();
}

/** Apps first, one by one: each has content elsewhere that goes with it. */
export async function deleteSpace(queries: Queries, guid: Guid, forget: ForgetApp): Promise<void> {
  const apps = await queries.selectFrom('apps').select('guid').where('space_guid', '=', guid).execute();
  for (const app of apps) await deleteApp(queries, app.guid, forget);
  await queries.transaction().execute(async (transaction) => {
    await transaction.deleteFrom('service_instances').where('space_guid', '=', guid).execute();
    await transaction.deleteFrom('routes').where('space_guid', '=', guid).execute();
    await transaction.deleteFrom('spaces').where('guid', '=', guid).execute();
  });
}
