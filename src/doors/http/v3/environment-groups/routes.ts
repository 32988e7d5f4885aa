/** `/v3/environment_variable_groups/running` and `/staging`: variables that every app is given. */
import { sql } from 'kysely';
import { z } from 'zod';
import { mayAdminister } from '../../../../service/access/may.ts';
import { globalStanding } from '../../../../service/access/standing.ts';
import { json } from '../../../../service/state/columns.ts';
import type { Queries } from '../../../../service/state/database.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { instantText, Links } from '../../route/present.ts';
import { VariablesInput } from '../apps/schema.ts';
import { demandVariables } from '../apps/variables.ts';

const ByName = z.object({ name: z.enum(['running', 'staging']) });
const Group = z
  .object({
    name: z.string(),
    var: z.record(z.string(), z.string()),
    updated_at: z.string().nullable(),
    links: Links,
  })
  .describe('environment variable group');
const GroupPatch = z.strictObject({ var: VariablesInput });

const get = route({
  method: 'GET',
  path: '/v3/environment_variable_groups/:name',
  summary: 'Get the variables that every running app, or every build, is given',
  access: 'signed-in',
  params: ByName,
  answers: { 200: Group },
  handle: async ({ params, service, base }) => ({
    status: 200,
    body: await shown(service.database.queries, params.name, base),
  }),
});

const update = route({
  method: 'PATCH',
  path: '/v3/environment_variable_groups/:name',
  summary: 'Change those variables; null takes one away',
  access: 'signed-in',
  params: ByName,
  body: GroupPatch,
  answers: { 200: Group },
  handle: async ({ params: { name }, body, caller, service, base }) => {
    demand(mayAdminister, globalStanding(caller));
    demandVariables(body.var);
    const { queries } = service.database;
    const patch = json(body.var);
    await queries
      .insertInto('environment_variable_groups')
      .values({ name, var: sql<string>`jsonb_strip_nulls(${patch}::jsonb)`, updated_at: sql<Date>`now()` })
      .onConflict((conflict) =>
        conflict.column('name').doUpdateSet({
          var: sql<string>`jsonb_strip_nulls(environment_variable_groups.var || ${patch}::jsonb)`,
          updated_at: sql<Date>`now()`,
        }),
      )
      .execute();
    return { status: 200, body: await shown(queries, name, base) };
  },
});

export const environmentGroupRoutes = [get, update];

async function shown(queries: Queries, name: 'running' | 'staging', base: string) {
  const row = await queries
    .selectFrom('environment_variable_groups')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst();
  const updated = row?.updated_at ?? null;
  return {
    name,
    var: { ...row?.var },
    updated_at: updated === null ? null : instantText(updated),
    links: { self: { href: `${base}/v3/environment_variable_groups/${name}` } },
  };
}
