/** Rows in the shape of v2. Pure. */
import { resourceFields } from '../route/present.ts';
import type { V2PageQuery } from './schema.ts';

interface Row {
  readonly guid: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** `{"metadata","entity"}`. */
export function presentV2<R extends Row, Entity>(path: string, row: R, entity: (row: R) => Entity) {
  return { metadata: { ...resourceFields(row), url: `${path}/${row.guid}` }, entity: entity(row) };
}

/** One page; addresses of others are paths, as v2 has them. */
export function presentV2Page<R extends Row, Entity>(
  { rows, total }: { readonly rows: readonly R[]; readonly total: number },
  { path, query }: { readonly path: string; readonly query: V2PageQuery },
  entity: (row: R) => Entity,
) {
  const { page, 'results-per-page': perPage } = query;
  const pages = Math.max(1, Math.ceil(total / perPage));
  const address = (number: number) => `${path}?page=${number}&results-per-page=${perPage}`;
  return {
    total_results: total,
    total_pages: pages,
    prev_url: page > 1 ? address(page - 1) : null,
    next_url: page < pages ? address(page + 1) : null,
    resources: rows.map((row) => presentV2(path, row, entity)),
  };
}

/** All that a person could list at once. */
export const EVERYTHING = pagingOfV2({ page: 1, 'results-per-page': 5000 });

/** Oldest first, as v2 has them. */
export function pagingOfV2({ page, 'results-per-page': perPage }: V2PageQuery) {
  return { page, perPage, order: { column: 'created_at', direction: 'asc' } } as const;
}
