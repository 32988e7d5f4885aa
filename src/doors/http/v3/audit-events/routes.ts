/** `/v3/audit_events`: what was done, newest where the client asks for that. */
import { sql } from 'kysely';
import { z } from 'zod';
import type { Caller } from '../../../../service/access/caller.ts';
import { inVisibleOrganization, inVisibleSpace } from '../../../../service/access/visible.ts';
import type { Row } from '../../../../service/state/columns.ts';
import type { Queries } from '../../../../service/state/database.ts';
import { anyOf, commonConditions, pageOf } from '../../../../service/state/list.ts';
import type { AuditEventsTable } from '../../../../service/state/schema-platform.ts';
import { notFound } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { listQuery, pagingOf, texts } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { Links, listOf, presentList, ResourceFields, resourceFields } from '../../route/present.ts';

const EventsQuery = listQuery({
  types: texts.optional(),
  target_guids: texts.optional(),
  space_guids: texts.optional(),
  organization_guids: texts.optional(),
}).omit({ label_selector: true });

const Party = z.object({ guid: z.string(), type: z.string(), name: z.string().nullable() });
const Place = z.object({ guid: z.string() }).nullable();
const Event = z
  .object({
    ...ResourceFields,
    type: z.string(),
    actor: Party,
    target: Party,
    data: z.record(z.string(), z.unknown()),
    space: Place,
    organization: Place,
    links: Links,
  })
  .describe('audit event');

const list = route({
  method: 'GET',
  path: '/v3/audit_events',
  summary: 'List audit events',
  access: 'signed-in',
  query: EventsQuery,
  answers: { 200: listOf(Event) },
  handle: async ({ query, caller, service, base, url }) => {
    const { queries } = service.database;
    let events = visible(queries, caller).where(commonConditions('audit_events', query));
    for (const [column, values] of [
      ['type', query.types],
      ['target_guid', query.target_guids],
      ['space_guid', query.space_guids],
      ['organization_guid', query.organization_guids],
    ] as const) {
      if (values !== undefined) events = events.where(anyOf(`audit_events.${column}`, values));
    }
    const page = await pageOf(queries, events, { table: 'audit_events', paging: pagingOf(query) });
    return { status: 200, body: presentList(page, { base, url, query }, (row) => present(row, base)) };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/audit_events/:guid',
  summary: 'Get an audit event',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: Event },
  handle: async ({ params, caller, service, base }) => {
    const found = await visible(service.database.queries, caller)
      .where('guid', '=', params.guid)
      .executeTakeFirst();
    if (found === undefined) throw notFound('Event');
    return { status: 200, body: present(found, base) };
  },
});

export const auditEventRoutes = [list, get];

/** Those in spaces that the caller sees, and those of organizations that are in none. */
function visible(queries: Queries, caller: Caller) {
  return queries
    .selectFrom('audit_events')
    .selectAll()
    .where(
      sql<boolean>`(${inVisibleSpace(caller, 'audit_events.space_guid')}
        or (audit_events.space_guid is null and ${inVisibleOrganization(caller, 'audit_events.organization_guid')}))`,
    );
}

function present(row: Row<AuditEventsTable>, base: string): z.input<typeof Event> {
  const place = (guid: string | null) => (guid === null ? null : { guid });
  return {
    ...resourceFields(row),
    type: row.type,
    actor: { guid: row.actor_guid, type: row.actor_type, name: row.actor_name },
    target: { guid: row.target_guid, type: row.target_type, name: row.target_name },
    data: { ...row.data },
    space: place(row.space_guid),
    organization: place(row.organization_guid),
    links: { self: { href: `${base}/v3/audit_events/${row.guid}` } },
  };
}
