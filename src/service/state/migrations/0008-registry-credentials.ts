/** With what the Cloud Native Buildpacks of an app are fetched; a build has what its app had when it was made. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table apps add column registry_credentials jsonb`.execute(db);
  await sql`alter table builds add column registry_credentials jsonb`.execute(db);
}
