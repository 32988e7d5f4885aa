/** A droplet that becomes the current one brings its process types: what it has gets a process, what it lacks goes. */
import type { Guid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';
import { newProcess } from './processes.ts';

export async function takeProcessTypes(
  queries: Queries,
  { app, droplet }: { readonly app: Guid; readonly droplet: Guid },
): Promise<void> {
  const row = await queries
    .selectFrom('droplets')
    .select('process_types')
    .where('guid', '=', droplet)
    .executeTakeFirst();
  const types = Object.keys(row?.process_types ?? {});
  for (const type of types) {
    await queries
      .insertInto('processes')
      .values(newProcess(app, type))
      .onConflict((conflict) => conflict.columns(['app_guid', 'type']).doNothing())
      .execute();
  }
  // A command that somebody set makes a process that is theirs, and web is always there.
  await queries
    .deleteFrom('processes')
    .where('app_guid', '=', app)
    .where('type', 'not in', ['web', ...types])
    .where('command', 'is', null)
    .execute();
}
