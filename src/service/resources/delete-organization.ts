/** Deletes an organization and what it owns: repeated after a crash, it goes on where it was. */
import type { Guid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';

export async function deleteOrganization(queries: Queries, guid: Guid): Promise<void> {
  await queries.transaction().execute(async (transaction) => {
    await transaction.deleteFrom('spaces').where('organization_guid', '=', guid).execute();
    await transaction.deleteFrom('organizations').where('guid', '=', guid).execute();
  });
}
