/** A worker whose disk is nearly full says so, and takes no builds meanwhile. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table workers add column short_of_disk text`.execute(db);
}
