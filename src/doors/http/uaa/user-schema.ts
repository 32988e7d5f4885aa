/** Users in SCIM's words, as UAA has them. */
import { z } from 'zod';
import type { Account } from '../../../service/sign-in/accounts.ts';
import { UaaError } from '../route/uaa-error.ts';

const text = z.string().max(255);

export const NewUaaUser = z.object({
  userName: text,
  password: z.string().max(1000).optional(),
  origin: text.optional(),
  externalId: text.optional(),
  name: z.object({ givenName: text.nullish(), familyName: text.nullish() }).optional(),
  emails: z
    .array(z.object({ value: text }))
    .max(10)
    .optional(),
});

export const NewPassword = z.object({
  oldPassword: z.string().max(1000).optional(),
  password: z.string().max(1000),
});

export const UaaUser = z.object({
  id: z.string(),
  userName: z.string(),
  origin: z.string(),
  name: z.object({ givenName: z.string().nullable(), familyName: z.string().nullable() }),
  emails: z.array(z.object({ value: z.string(), primary: z.boolean() })),
  groups: z.array(z.object({ value: z.string(), display: z.string() })),
  active: z.boolean(),
  verified: z.boolean(),
  zoneId: z.string(),
  meta: z.object({ version: z.int(), created: z.string(), lastModified: z.string() }),
  schemas: z.array(z.string()),
});

export const UaaUsers = z.object({
  resources: z.array(UaaUser),
  startIndex: z.int(),
  itemsPerPage: z.int(),
  totalResults: z.int(),
  schemas: z.array(z.string()),
});

export const SCHEMAS = ['urn:scim:schemas:core:1.0'];

export function presentUaaUser(account: Account): z.input<typeof UaaUser> {
  return {
    id: account.guid,
    userName: account.username,
    origin: account.origin,
    name: { givenName: account.given_name, familyName: account.family_name },
    emails: [{ value: account.email ?? account.username, primary: true }],
    groups: account.scopes.map((scope) => ({ value: scope, display: scope })),
    active: account.active,
    verified: true,
    zoneId: 'uaa',
    meta: {
      version: 0,
      created: account.created_at.toISOString(),
      lastModified: account.updated_at.toISOString(),
    },
    schemas: SCHEMAS,
  };
}

/** What a filter asks for. */
export interface UserFilter {
  readonly userName?: string;
  readonly origin?: string;
  readonly id?: string;
}

const CLAUSE = /^\s*(userName|origin|id)\s+eq\s+"((?:[^"\\]|\\.)*)"\s*$/i;
const NAMES = { username: 'userName', origin: 'origin', id: 'id' } as const;

/** `userName eq "x" and origin eq "y"`. @throws UaaError for any other filter. */
export function parseFilter(filter: string | undefined): UserFilter {
  if (filter === undefined || filter === '') return {};
  const clauses = filter.split(/\s+and\s+/i).map((clause) => {
    const [, field = '', value = ''] = CLAUSE.exec(clause) ?? [];
    const name = Object.entries(NAMES).find(([lower]) => lower === field.toLowerCase())?.[1];
    if (name === undefined) {
      throw new UaaError(400, 'scim', `Invalid filter expression: [${filter.slice(0, 200)}]`);
    }
    return [name, value.replace(/\\(.)/g, '$1')];
  });
  return Object.fromEntries(clauses);
}
