/** How many bytes of packages were not sent because their contents were already stored. */
import { sql } from 'kysely';
import type { Guid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import type { Queries } from '../state/database.ts';
import { ofVisibleApps } from './of-apps.ts';

/** Of the packages of an app that were uploaded. `sent` is what came, compressed as it was. */
export interface SavedBytes {
  readonly app: Guid;
  readonly name: string;
  readonly packages: number;
  readonly whole: number;
  readonly sent: number;
}

/** Of the apps that the caller sees, most saved first. */
export async function savedBytes(
  queries: Queries,
  caller: Caller,
  most: number,
): Promise<readonly SavedBytes[]> {
  const rows = await queries
    .selectFrom('packages')
    .innerJoin('apps', 'apps.guid', 'packages.app_guid')
    .where(ofVisibleApps('packages', caller, {}))
    .where('packages.sent_in_bytes', 'is not', null)
    .where('packages.size_in_bytes', 'is not', null)
    .groupBy(['apps.guid', 'apps.name'])
    .select(({ fn }) => [
      'apps.guid as app',
      'apps.name',
      fn.countAll<number>().as('packages'),
      fn.sum<number>('packages.size_in_bytes').as('whole'),
      fn.sum<number>('packages.sent_in_bytes').as('sent'),
    ])
    .orderBy(sql`sum(packages.size_in_bytes) - sum(packages.sent_in_bytes)`, 'desc')
    .orderBy('apps.guid')
    .limit(most)
    .execute();
  return rows.map((row) => ({
    ...row,
    packages: Number(row.packages),
    whole: Number(row.whole),
    sent: Number(row.sent),
  }));
}
