/** Whether a caller may see something that a request refers to. */
import type { Guid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { inVisibleSpace } from '../access/visible.ts';
import type { Queries } from '../state/database.ts';

export async function spaceSeenBy(queries: Queries, caller: Caller, guid: Guid): Promise<boolean> {
  const found = await queries
    .selectFrom('spaces')
    .select('guid')
    .where('guid', '=', guid)
    .where(inVisibleSpace(caller, 'spaces.guid'))
    .executeTakeFirst();
  return found !== undefined;
}
