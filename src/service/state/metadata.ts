/** Labels and annotations: merged in the database, so that two writers at once lose nothing. */
import { type RawBuilder, sql } from 'kysely';
import type { Pairs } from './columns.ts';

/** What a request may say: null takes a key away. */
export interface MetadataPatch {
  readonly labels?: Readonly<Record<string, string | null>> | undefined;
  readonly annotations?: Readonly<Record<string, string | null>> | undefined;
}

/** The columns of a new row. */
export function newMetadata(patch: MetadataPatch = {}): { labels: string; annotations: string } {
  return { labels: JSON.stringify(kept(patch.labels)), annotations: JSON.stringify(kept(patch.annotations)) };
}

/** The columns of an update; unnamed keys stay. */
export function mergedMetadata(patch: MetadataPatch = {}) {
  return {
    ...(patch.labels !== undefined && { labels: merged('labels', patch.labels) }),
    ...(patch.annotations !== undefined && { annotations: merged('annotations', patch.annotations) }),
  };
}

function merged(column: string, patch: object): RawBuilder<string> {
  return sql<string>`jsonb_strip_nulls(${sql.ref(column)} || ${JSON.stringify(patch)}::jsonb)`;
}

function kept(pairs: Readonly<Record<string, string | null>> = {}): Pairs {
  return Object.fromEntries(
    Object.entries(pairs).flatMap(([key, value]) => (value === null ? [] : [[key, value]])),
  );
}
