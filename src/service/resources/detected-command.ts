/** The command that an app's current droplet has for a process type. */
import type { Queries } from '../state/database.ts';
import type { App } from './apps.ts';

export async function detectedCommand(
  queries: Queries,
  app: Pick<App, 'current_droplet_guid'>,
  type: string,
): Promise<string | null> {
  if (app.current_droplet_guid === null) return null;
  const row = await queries
    .selectFrom('droplets')
    .select('process_types')
    .where('guid', '=', app.current_droplet_guid)
    .executeTakeFirst();
  return new Map(Object.entries(row?.process_types ?? {})).get(type) ?? null;
}
