/** The state of the queue and of all workers in one query. */
import { sql } from 'kysely';
import { z } from 'zod';
import { isThere, takesBuilds } from '../queue/workers.ts';
import type { Queries } from '../state/database.ts';

const Figures = z.object({
  waiting: z.coerce.number(),
  unfit: z.coerce.number(),
  oldest_s: z.coerce.number(),
  running: z.coerce.number(),
  workers: z.coerce.number(),
  slots: z.coerce.number(),
  short_of_disk: z.coerce.number(),
  jobs: z.coerce.number(),
});

export async function fleetFigures(queries: Queries): Promise<z.output<typeof Figures>> {
  const { rows } = await sql`
    select q.waiting, q.unfit, q.oldest_s, w.workers, w.slots, w.short_of_disk,
      (select count(*) from builds where state = 'STAGING') - q.waiting as running,
      (select count(*) from jobs where state in ('PROCESSING', 'POLLING')) as jobs
    from (select count(*) as waiting, count(wait_reason) as unfit,
        coalesce(max(extract(epoch from now() - created_at)), 0) as oldest_s from build_queue) q,
      (select count(*) filter (where ${takesBuilds('workers')}) as workers,
        coalesce(sum(slots) filter (where ${takesBuilds('workers')}), 0) as slots,
        count(*) filter (where ${isThere('workers')} and short_of_disk is not null) as short_of_disk
        from workers) w`.execute(queries);
  return Figures.parse(rows[0]);
}
