/**
 * The query of a list: `page`, `per_page`, `order_by`, the filters that every list has, and those of its own. Unknown
 * parameters are refused. Values are separated by commas; `%2C` inside of one is a comma that belongs to it (the cf
 * client encodes those of names).
 */
import { z } from 'zod';
import { parseLabelSelector } from './label-selector.ts';

/** Cloud Controller's. */
const DEFAULT_PER_PAGE = 50;
const MAX_PER_PAGE = 5000;
const MAX_PAGE = 2 ** 31 - 1;
/** Values in one filter. */
const MAX_VALUES = 5000;

/** `a,b%2Cc` → `['a', 'b,c']`. `hosts=` is one empty value. */
export const texts = z
  .string()
  .transform((text) => text.split(',').map((part) => part.replace(/%2C/gi, ',')))
  .refine((values) => values.length <= MAX_VALUES, { error: `must have at most ${MAX_VALUES} values` });

/** `true` or `false`. */
export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/** Several of these words. */
export function oneOrMoreOf<const Word extends string>(words: readonly Word[]) {
  return texts.pipe(z.array(z.enum(words)));
}

const whole = (max: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,9}$/, { error: 'must be a positive integer' })
    .transform(Number)
    .refine((value) => value <= max, { error: `must be between 1 and ${max}` });

/** To the second and in UTC, as Cloud Controller takes them. */
const INSTANT = {
  error: "has an invalid timestamp format. Timestamps should be formatted as 'YYYY-MM-DDThh:mm:ssZ'",
} as const;
const instant = z.iso.datetime(INSTANT).optional();
const instants = texts.pipe(z.array(z.iso.datetime(INSTANT)).max(100)).optional();

const paging = {
  page: whole(MAX_PAGE).default(1),
  per_page: whole(MAX_PER_PAGE).default(DEFAULT_PER_PAGE),
};

/** Only `page`, `per_page` and `order_by`: for lists without the usual filters. */
export function pageParameters(columns: readonly string[], defaultColumn: string) {
  return { ...paging, order_by: orderBy(columns, defaultColumn) };
}

const common = {
  ...paging,
  guids: texts.optional(),
  label_selector: z.string().max(10_000).transform(parseLabelSelector).optional(),
  created_ats: instants,
  'created_ats[gt]': instant,
  'created_ats[gte]': instant,
  'created_ats[lt]': instant,
  'created_ats[lte]': instant,
  updated_ats: instants,
  'updated_ats[gt]': instant,
  'updated_ats[gte]': instant,
  'updated_ats[lt]': instant,
  'updated_ats[lte]': instant,
};

/** Page, order and guids: for lists of what is always the same. */
export function fixedListQuery<Filters extends z.ZodRawShape>(filters: Filters) {
  const columns = ['created_at', 'updated_at', 'name'];
  return z.strictObject({ ...pageParameters(columns, 'created_at'), guids: texts.optional(), ...filters });
}

/** Schema of a list's query: `filters` of its own, `columns` to order by beside `created_at` and `updated_at`. */
export function listQuery<Filters extends z.ZodRawShape>(
  filters: Filters,
  columns: readonly string[] = [],
  defaultColumn = 'created_at',
) {
  return z.strictObject({
    ...common,
    order_by: orderBy(['created_at', 'updated_at', ...columns], defaultColumn),
    ...filters,
  });
}

function orderBy(columns: readonly string[], defaultColumn: string) {
  return z
    .string()
    .default(defaultColumn)
    .refine((word) => columns.includes(word.replace(/^[+-]/, '')), {
      error: `can only be: ${columns.map((column) => `'${column}'`).join(', ')}`,
    })
    .transform((word) => ({
      column: word.replace(/^[+-]/, ''),
      direction: word.startsWith('-') ? ('desc' as const) : ('asc' as const),
      word,
    }));
}

/** The part of a list's query that says which page. */
export interface PageQuery {
  readonly page: number;
  readonly per_page: number;
  readonly order_by: { readonly column: string; readonly direction: 'asc' | 'desc' };
}

export function pagingOf({ page, per_page, order_by }: PageQuery) {
  return { page, perPage: per_page, order: order_by };
}
