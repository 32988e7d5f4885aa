/** Pieces that all presenters use: rows in, Cloud Foundry's JSON out. Pure. */
import { z } from 'zod';
import type { Pairs } from '../../../service/state/columns.ts';
import type { Page } from '../../../service/state/list.ts';
import type { PageQuery } from './list-query.ts';

/** `2026-01-31T12:00:00Z`: whole seconds, as Cloud Controller writes them. */
export function instantText(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

export const Link = z.object({ href: z.string(), method: z.string().optional() });
export const Links = z.record(z.string(), Link);
export const Metadata = z.object({
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
});
/** A relationship to one. */
export const ToOne = z.object({ data: z.object({ guid: z.string() }).nullable() });

/** Fields of every resource. */
export const ResourceFields = {
  guid: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
};

/** `{"data":{"guid"}}`, or `{"data":null}`. */
export function toOne(guid: string | null): z.input<typeof ToOne> {
  return { data: guid === null ? null : { guid } };
}

/** The fields of {@link ResourceFields}. */
export function resourceFields(row: {
  readonly guid: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}) {
  return { guid: row.guid, created_at: instantText(row.created_at), updated_at: instantText(row.updated_at) };
}

export function metadataOf(row: { readonly labels: Pairs; readonly annotations: Pairs }) {
  return { labels: { ...row.labels }, annotations: { ...row.annotations } };
}

export const Pagination = z.object({
  total_results: z.int(),
  total_pages: z.int(),
  first: Link,
  last: Link,
  next: Link.nullable(),
  previous: Link.nullable(),
});

/** Schema of a list's answer; `included` where it has `include` or `fields`. */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    pagination: Pagination,
    resources: z.array(item),
    included: z.record(z.string(), z.array(z.unknown())).optional(),
  });
}

/** Where a list was asked for. */
export interface ListPlace {
  readonly base: string;
  readonly url: string;
  readonly query: PageQuery;
}

/** One page as `{"pagination","resources"}`; links keep the filters of the request. */
export function presentList<Row, Item>(page: Page<Row>, place: ListPlace, present: (row: Row) => Item) {
  const { page: at, per_page: perPage } = place.query;
  const pages = Math.max(1, Math.ceil(page.total / perPage));
  const link = (number: number) => ({ href: pageUrl(place, number) });
  return {
    pagination: {
      total_results: page.total,
      total_pages: pages,
      first: link(1),
      last: link(pages),
      next: at < pages ? link(at + 1) : null,
      previous: at > 1 ? link(Math.min(at - 1, pages)) : null,
    },
    resources: page.rows.map(present),
  };
}

function pageUrl({ base, url, query }: ListPlace, number: number): string {
  const asked = new URL(url, base);
  asked.searchParams.set('page', String(number));
  asked.searchParams.set('per_page', String(query.per_page));
  return asked.href;
}
