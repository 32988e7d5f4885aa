/** The feed of finished builds, and who is notified. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { inVisibleSpace } from '../access/visible.ts';
import type { Database, Queries } from '../state/database.ts';

/** Any number that no other lock of ours has. */
const FEED_LOCK = 7_402_002;

/**
 * Writes down that a build is over, and that every webhook of its space is to be told: in the transaction that ends it.
 * The next such transaction waits for this one, so that numbers become visible in their order.
 */
export async function noteBuildEnd(
  { queries, queue }: Pick<Database, 'queries' | 'queue'>,
  build: Guid,
): Promise<void> {
  await sql`select pg_advisory_xact_lock(${FEED_LOCK})`.execute(queries);
  const end = await queries
    .insertInto('build_ends')
    .columns(['build_guid', 'app_guid', 'app_name', 'space_guid', 'state', 'error_id', 'error_description'])
    .expression((eb) =>
      eb
        .selectFrom('builds')
        .innerJoin('apps', 'apps.guid', 'builds.app_guid')
        .where('builds.guid', '=', build)
        .select([
          'builds.guid',
          'builds.app_guid',
          'apps.name',
          'apps.space_guid',
          sql<'STAGED' | 'FAILED'>`builds.state`.as('state'),
          'builds.error_id',
          'builds.error_description',
        ]),
    )
    .returning(['id', 'space_guid'])
    .executeTakeFirst();
  if (end === undefined) return;
  const hooks = await queries
    .selectFrom('webhooks')
    .select('guid')
    .where('enabled', '=', true)
    .where((eb) => eb.or([eb('space_guid', 'is', null), eb('space_guid', '=', end.space_guid)]))
    .execute();
  for (const hook of hooks) {
    const guid = newGuid();
    await queries
      .insertInto('webhook_deliveries')
      .values({ guid, webhook_guid: hook.guid, build_end_id: end.id })
      .execute();
    await queue.add('webhooks', guid, queries);
  }
}

function ends(queries: Queries) {
  return queries
    .selectFrom('build_ends')
    .leftJoin('droplets', 'droplets.build_guid', 'build_ends.build_guid')
    .selectAll('build_ends')
    .select('droplets.guid as droplet_guid');
}

/** Those after a number that the caller may see, the oldest first. */
export async function buildEndsAfter(
  queries: Queries,
  caller: Caller,
  { after, most }: { readonly after: number; readonly most: number },
) {
  return await ends(queries)
    .where('build_ends.id', '>', after)
    .where(inVisibleSpace(caller, 'build_ends.space_guid'))
    .orderBy('build_ends.id')
    .limit(most)
    .execute();
}

export async function findBuildEnd(queries: Queries, id: number) {
  return await ends(queries).where('build_ends.id', '=', id).executeTakeFirst();
}

export type BuildEnd = NonNullable<Awaited<ReturnType<typeof findBuildEnd>>>;

/** What other systems are told; the API documents it. */
export function presentBuildEnd(end: BuildEnd) {
  return {
    id: end.id,
    type: 'build.ended' as const,
    at: end.at.toISOString(),
    build: {
      guid: end.build_guid,
      state: end.state,
      error: end.error_id === null ? null : `${end.error_id} - ${end.error_description ?? ''}`,
    },
    droplet: end.droplet_guid === null ? null : { guid: end.droplet_guid },
    app: { guid: end.app_guid, name: end.app_name },
    space: { guid: end.space_guid },
  };
}

/** Forgets those of longer ago, and what was delivered of them. */
export async function forgetOldEnds(queries: Queries, days: number): Promise<number> {
  const { numDeletedRows } = await queries
    .deleteFrom('build_ends')
    .where(sql<boolean>`at < now() - make_interval(days => ${days})`)
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}
