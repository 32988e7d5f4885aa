/** Paging of lists: fifty rows per page; an invalid page number means the first page. */
import { z } from 'zod';
import type { Page } from '../../../service/state/list.ts';

export const PER_PAGE = 50;

export const PageNumber = z.coerce.number().int().min(1).max(1_000_000).catch(1);

export function pagesOf({ total }: Pick<Page<unknown>, 'total'>): number {
  return Math.max(1, Math.ceil(total / PER_PAGE));
}

/** The newest first. */
export function newestFirst(page: number) {
  return { page, perPage: PER_PAGE, order: { column: 'created_at', direction: 'desc' } } as const;
}
