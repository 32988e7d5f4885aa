/** Switches of the whole installation. A flag has Cloud Controller's default until somebody sets it. */
import { sql } from 'kysely';
import type { Queries } from '../state/database.ts';

/** name → default. Those without an effect here are kept and shown. */
const DEFAULTS = {
  app_bits_upload: true,
  app_scaling: true,
  diego_cnb: false,
  diego_docker: false,
  env_var_visibility: true,
  hide_marketplace_from_unauthenticated_users: false,
  private_domain_creation: true,
  resource_matching: true,
  route_creation: true,
  route_sharing: false,
  service_instance_creation: true,
  service_instance_sharing: false,
  set_roles_by_username: true,
  space_developer_env_var_visibility: true,
  space_scoped_private_broker_creation: true,
  task_creation: true,
  unset_roles_by_username: true,
  user_org_creation: false,
} as const;

export type FlagName = keyof typeof DEFAULTS;

export interface FeatureFlag {
  readonly name: string;
  readonly enabled: boolean;
  readonly custom_error_message: string | null;
  /** Null: never set. */
  readonly updated_at: Date | null;
}

/** All of them, by name. */
export async function listFlags(queries: Queries): Promise<readonly FeatureFlag[]> {
  const rows = await queries.selectFrom('feature_flags').selectAll().execute();
  const set = new Map(rows.map((row) => [row.name, row]));
  return Object.entries(DEFAULTS).map(([name, enabled]) => {
    const row = set.get(name);
    return {
      name,
      enabled: row?.enabled ?? enabled,
      custom_error_message: row?.error_message ?? null,
      updated_at: row?.updated_at ?? null,
    };
  });
}

export async function findFlag(queries: Queries, name: string): Promise<FeatureFlag | undefined> {
  return (await listFlags(queries)).find((flag) => flag.name === name);
}

/** Why what the flag stands for is not allowed, in Cloud Controller's words; undefined when it is. */
export async function disabledBecause(queries: Queries, name: FlagName): Promise<string | undefined> {
  const row = await queries
    .selectFrom('feature_flags')
    .select(['enabled', 'error_message'])
    .where('name', '=', name)
    .executeTakeFirst();
  const enabled = row?.enabled ?? DEFAULTS[name];
  return enabled ? undefined : `Feature Disabled: ${row?.error_message ?? name}`;
}

export interface FlagChange {
  readonly enabled?: boolean | undefined;
  readonly custom_error_message?: string | null | undefined;
}

/** Fields that are not named stay. */
export async function setFlag(queries: Queries, flag: FeatureFlag, change: FlagChange): Promise<void> {
  const { enabled = flag.enabled, custom_error_message: error_message = flag.custom_error_message } = change;
  const values = { enabled, error_message, updated_at: sql<Date>`now()` };
  await queries
    .insertInto('feature_flags')
    .values({ name: flag.name, ...values })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
    .execute();
}
