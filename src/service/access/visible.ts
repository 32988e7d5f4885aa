/**
 * What a caller sees, as conditions of queries: lists leave out what is foreign, and a single object that is foreign is
 * not found. Whoever has any role in an organization or one of its spaces sees the organization; a space is seen by
 * whoever has a role in it, and by the managers of its organization.
 */
import { type RawBuilder, sql } from 'kysely';
import { type Caller, seesEverything } from './caller.ts';

type Condition = RawBuilder<boolean>;

/** True where `column` (such as `spaces.organization_guid`) names an organization that the caller sees. */
export function inVisibleOrganization(caller: Caller, column: string): Condition {
  if (seesEverything(caller)) return sql<boolean>`true`;
  return sql<boolean>`${sql.ref(column)} in (
    select organization_guid from roles where user_guid = ${caller.guid} and organization_guid is not null
    union
    select spaces.organization_guid from roles join spaces on spaces.guid = roles.space_guid
    where roles.user_guid = ${caller.guid})`;
}

/** True where `column` (such as `apps.space_guid`) names a space that the caller sees. */
export function inVisibleSpace(caller: Caller, column: string): Condition {
  if (seesEverything(caller)) return sql<boolean>`true`;
  return sql<boolean>`${sql.ref(column)} in (
    select space_guid from roles where user_guid = ${caller.guid} and space_guid is not null
    union
    select spaces.guid from roles join spaces on spaces.organization_guid = roles.organization_guid
    where roles.user_guid = ${caller.guid} and roles.type = 'organization_manager')`;
}

/** True where `column` names a user that the caller sees: itself, and those with a role in a visible organization. */
export function isVisibleUser(caller: Caller, column: string): Condition {
  if (seesEverything(caller)) return sql<boolean>`true`;
  return sql<boolean>`(${sql.ref(column)} = ${caller.guid} or ${sql.ref(column)} in (
    select roles.user_guid from roles left join spaces on spaces.guid = roles.space_guid
    where ${inVisibleOrganization(caller, 'roles.organization_guid')}
       or ${inVisibleOrganization(caller, 'spaces.organization_guid')}))`;
}
