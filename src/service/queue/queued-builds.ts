/** The queue as an operator sees it: all waiting builds, in order. */
import { sql } from 'kysely';
import { z } from 'zod';
import type { Queries } from '../state/database.ts';

const Queued = z.object({
  guid: z.string(),
  position: z.coerce.number(),
  reason: z.string().nullable(),
  app: z.string(),
  space: z.string(),
  created_at: z.date(),
});

export async function queuedBuilds(
  queries: Queries,
  most: number,
): Promise<readonly z.output<typeof Queued>[]> {
  const { rows } = await sql`
    select q.guid, q.position, q.wait_reason as reason, a.name as app, s.name as space, q.created_at
    from build_queue q join builds b on b.guid = q.guid join apps a on a.guid = b.app_guid
      join spaces s on s.guid = a.space_guid
    order by q.position limit ${most}`.execute(queries);
  return z.array(Queued).parse(rows);
}
