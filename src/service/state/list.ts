/** Lists as the v3 API has them: one page of rows, in an order that never leaves ties, and how many there are in all. */
import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import type { Queries } from './database.ts';

/** Which page, in which order. Columns come from a closed list, never from a request. */
export interface Paging {
  readonly page: number;
  readonly perPage: number;
  readonly order: { readonly column: string; readonly direction: 'asc' | 'desc' };
}

/** One page. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly total: number;
}

/** `table`: whose `id` breaks ties, and whose column orders. */
export async function pageOf<DB, TB extends keyof DB, Row>(
  queries: Queries,
  query: SelectQueryBuilder<DB, TB, Row>,
  by: { readonly table: string; readonly paging: Paging },
): Promise<Page<Row>> {
  const { page, perPage, order } = by.paging;
  const counted = sql<{ total: number }>`select count(*) as total from (${query}) as counted`;
  const { rows: counts } = await counted.execute(queries);
  const total = Number(counts[0]?.total ?? 0);
  const skipped = (page - 1) * perPage;
  if (skipped >= total) return { rows: [], total };
  const rows = await query
    .orderBy(orderingOf(by.table, order.column), order.direction)
    .orderBy(sql.ref(`${by.table}.id`), order.direction)
    .limit(perPage)
    .offset(skipped)
    .execute();
  return { rows, total };
}

const OPERATORS = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;
type TimeColumn = 'created_at' | 'updated_at';
type TimeBounds = {
  readonly [Key in `${TimeColumn}s[${keyof typeof OPERATORS}]`]?: string | undefined;
} & { readonly [Key in `${TimeColumn}s`]?: readonly string[] | undefined };

/** Names are ordered as they are compared: without regard to case, and alike in every database. */
function orderingOf(table: string, column: string): RawBuilder<unknown> {
  const ref = sql.ref(`${table}.${column}`);
  return column === 'name' ? sql`lower(${ref}) collate "C"` : sql`${ref}`;
}

/** Filters that every list takes, by their names in a query. */
export interface CommonFilters extends TimeBounds {
  readonly guids?: readonly string[] | undefined;
  readonly label_selector?: readonly LabelRequirement[] | undefined;
}

/** One condition of a label selector. */
export type LabelRequirement =
  | { readonly kind: 'exists' | 'absent'; readonly key: string }
  | { readonly kind: 'in' | 'notin'; readonly key: string; readonly values: readonly string[] };

/** The conditions of {@link CommonFilters} on `table`; true when there are none. */
export function commonConditions(table: string, filters: CommonFilters): RawBuilder<boolean> {
  const conditions = [
    ...(filters.guids === undefined ? [] : [anyOf(`${table}.guid`, filters.guids)]),
    ...timeConditions(table, 'created_at', filters),
    ...timeConditions(table, 'updated_at', filters),
    ...(filters.label_selector ?? []).map((requirement) => labelCondition(`${table}.labels`, requirement)),
  ];
  return conditions.length === 0 ? sql<boolean>`true` : sql<boolean>`(${sql.join(conditions, sql` and `)})`;
}

/** True where the column has one of the texts. */
export function anyOf(column: string, texts: readonly string[]): RawBuilder<boolean> {
  return sql<boolean>`${sql.ref(column)} = any(${[...texts]}::text[])`;
}

/** The same without regard to case: names. */
export function anyNameOf(column: string, names: readonly string[]): RawBuilder<boolean> {
  return sql<boolean>`lower(${sql.ref(column)}) = any(${names.map((name) => name.toLowerCase())}::text[])`;
}

/** True where the column names a space of one of the organizations. */
export function inOrganizations(column: string, guids: readonly string[]): RawBuilder<boolean> {
  const spaces = sql`select guid from spaces where ${anyOf('spaces.organization_guid', guids)}`;
  return sql<boolean>`${sql.ref(column)} in (${spaces})`;
}

/** Compared to the second, since that is all that clients are shown. */
function timeConditions(table: string, column: TimeColumn, filters: TimeBounds): RawBuilder<boolean>[] {
  const second = sql`date_trunc('second', ${sql.ref(`${table}.${column}`)})`;
  const equal = filters[`${column}s`];
  const bounds = (['gt', 'gte', 'lt', 'lte'] as const).flatMap((operator) => {
    const instant = filters[`${column}s[${operator}]`];
    if (instant === undefined) return [];
    return [sql<boolean>`${second} ${sql.raw(OPERATORS[operator])} ${instant}::timestamptz`];
  });
  return equal === undefined
    ? bounds
    : [...bounds, sql<boolean>`${second} = any(${[...equal]}::timestamptz[])`];
}

function labelCondition(column: string, requirement: LabelRequirement): RawBuilder<boolean> {
  const labels = sql.ref(column);
  const { key } = requirement;
  switch (requirement.kind) {
    case 'exists':
      return sql<boolean>`${labels} ? ${key}`;
    case 'absent':
      return sql<boolean>`not ${labels} ? ${key}`;
    case 'in':
      return sql<boolean>`${labels} ->> ${key}::text = any(${[...requirement.values]}::text[])`;
    case 'notin':
      return sql<boolean>`coalesce(${labels} ->> ${key}::text <> all(${[...requirement.values]}::text[]), true)`;
  }
}
