/** Queries on stacks: the names that apps are staged on, each with a root file system of this machine. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import { unlessTaken } from '../state/failures.ts';
import {
  anyOf,
  type CommonFilters,
  commonConditions,
  type Page,
  type Paging,
  pageOf,
} from '../state/list.ts';
import { type MetadataPatch, mergedMetadata, newMetadata } from '../state/metadata.ts';
import type { StacksTable } from '../state/schema-platform.ts';

export type Stack = Row<StacksTable>;

export interface StackFilters extends CommonFilters {
  readonly names?: readonly string[] | undefined;
  readonly default?: boolean | undefined;
}

export async function listStacks(
  queries: Queries,
  by: { readonly filters: StackFilters; readonly paging: Paging },
): Promise<Page<Stack>> {
  const { names, default: isDefault } = by.filters;
  let query = queries.selectFrom('stacks').selectAll().where(commonConditions('stacks', by.filters));
  if (names !== undefined) query = query.where(anyOf('stacks.name', names));
  if (isDefault !== undefined) query = query.where('is_default', '=', isDefault);
  return await pageOf(queries, query, { table: 'stacks', paging: by.paging });
}

export async function findStack(queries: Queries, guid: Guid): Promise<Stack | undefined> {
  return await queries.selectFrom('stacks').selectAll().where('guid', '=', guid).executeTakeFirst();
}

/** What can be said of one after it was made; what is left out stays. */
export interface StackFields {
  readonly state?: string | undefined;
  readonly state_reason?: string | null | undefined;
  readonly metadata?: MetadataPatch | undefined;
}

export interface NewStack extends StackFields {
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly rootfs?: string | undefined;
  readonly isDefault?: boolean | undefined;
}

/** @returns undefined when the name is taken. */
export async function createStack(queries: Queries, stack: NewStack): Promise<Stack | undefined> {
  const { name, description = null, rootfs = name, isDefault = false, metadata } = stack;
  return await unlessTaken(
    'stacks_name_key',
    queries
      .insertInto('stacks')
      .values({
        guid: newGuid(),
        name,
        description,
        rootfs,
        is_default: isDefault,
        ...stateOf(stack),
        ...newMetadata(metadata),
      })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

export async function updateStack(queries: Queries, guid: Guid, fields: StackFields): Promise<Stack> {
  return await queries
    .updateTable('stacks')
    .set({ ...stateOf(fields), ...mergedMetadata(fields.metadata), updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** A new state without a reason has none: the old one was about the old state. */
function stateOf({ state, state_reason }: StackFields) {
  if (state === undefined) return state_reason === undefined ? {} : { state_reason };
  return { state, state_reason: state_reason ?? null };
}

/** @returns false when apps are staged on it. */
export async function deleteStack(queries: Queries, stack: Stack): Promise<boolean> {
  const { numDeletedRows } = await queries
    .deleteFrom('stacks')
    .where('guid', '=', stack.guid)
    .where(sql<boolean>`not exists (select 1 from apps where apps.stack = ${stack.name})`)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Makes those that are not there yet; what was deleted on purpose of others stays deleted. */
export async function ensureStacks(queries: Queries, stacks: readonly NewStack[]): Promise<void> {
  for (const stack of stacks) await createStack(queries, stack);
}
