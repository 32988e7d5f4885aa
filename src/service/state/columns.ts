/** How columns are typed: what is read, what an insert takes, what an update takes. */
import type { ColumnType, Generated, Selectable } from 'kysely';
import type { Guid } from '../../words/ids.ts';

/** Set by the database alone. */
export type Made<T> = ColumnType<T, never, never>;

/** A point in time. Written with `now()` of the database; never with the clock of this machine. */
export type Instant = ColumnType<Date, Date | undefined, Date>;

/** A jsonb column. Written as text, see {@link json}: drivers disagree on what an array means. */
export type JsonColumn<T> = ColumnType<T, string, string>;

/** A jsonb column that may be null; T says so as well. */
export type NullableJsonColumn<T> = ColumnType<T, string | null | undefined, string | null>;

/** A jsonb column that the database fills when nothing is given. */
export type DefaultJsonColumn<T> = ColumnType<T, string | undefined, string>;

/** Columns of every resource of the v3 API. */
export interface ResourceColumns {
  id: Made<number>;
  guid: Guid;
  created_at: Instant;
  updated_at: Instant;
}

/** `prefix/name` or `name` → value. */
export type Pairs = Readonly<Record<string, string>>;

/** Columns of what can be labelled. */
export interface MetadataColumns {
  labels: DefaultJsonColumn<Pairs>;
  annotations: DefaultJsonColumn<Pairs>;
}

/** A row as read. */
export type Row<Table> = Selectable<Table>;

export type { Generated };

/** What a jsonb column takes. */
export function json(value: unknown): string {
  return JSON.stringify(value);
}

/** Null is null, and not JSON's word for it. */
export function jsonOrNull(value: object | null): string | null {
  return value === null ? null : json(value);
}
