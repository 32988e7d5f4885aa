/** Queries on webhooks, their secrets and what was sent to them. */
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { z } from 'zod';
import { type Guid, newGuid } from '../../words/ids.ts';
import { json, type Row } from '../state/columns.ts';
import type { Database, Queries } from '../state/database.ts';
import { unlessTaken } from '../state/failures.ts';
import type { WebhookDeliveriesTable, WebhookSecret, WebhooksTable } from '../state/schema-operations.ts';

/** Seconds that older secrets sign as well, unless somebody says otherwise; and the longest. */
export const [OVERLAP_S, LONGEST_OVERLAP_S] = [86_400, 30 * 86_400];

export const WebhookAddress = z
  .string()
  .max(2000)
  .refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''), {
    error: 'must be an address with http:// or https://',
  })
  .refine((text) => (URL.parse(text)?.username ?? '') === '', { error: 'must not hold credentials' });
export const WebhookName = z.string().min(1).max(250);

export type Webhook = Row<WebhooksTable>;
export type Delivery = Row<WebhookDeliveriesTable>;

export interface WebhookFields extends WebhookOptions {
  readonly name: string;
  readonly url: string;
  readonly space?: Guid | null | undefined;
}

interface WebhookOptions {
  readonly allowPrivate?: boolean | undefined;
  readonly enabled?: boolean | undefined;
}

/** What is undefined stays. */
export interface WebhookChanges extends WebhookOptions {
  readonly name?: string | undefined;
  readonly url?: string | undefined;
}

/** @returns undefined when the name is taken. The secret is shown this once. */
export async function createWebhook(
  queries: Queries,
  { name, url, space = null, allowPrivate = false, enabled = true }: WebhookFields,
): Promise<{ readonly webhook: Webhook; readonly secret: string } | undefined> {
  const secret = newSecret();
  const webhook = await unlessTaken(
    'webhooks_name',
    queries
      .insertInto('webhooks')
      .values({
        guid: newGuid(),
        name,
        url,
        space_guid: space,
        allow_private: allowPrivate,
        enabled,
        secrets: json([{ secret }]),
      })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
  return webhook && { webhook, secret };
}

/** @returns undefined when the name is taken. */
export async function updateWebhook(
  queries: Queries,
  guid: Guid,
  { name, url, allowPrivate, enabled }: WebhookChanges,
): Promise<Webhook | undefined> {
  return await unlessTaken(
    'webhooks_name',
    queries
      .updateTable('webhooks')
      .set({
        updated_at: sql<Date>`now()`,
        ...(name !== undefined && { name }),
        ...(url !== undefined && { url }),
        ...(allowPrivate !== undefined && { allow_private: allowPrivate }),
        ...(enabled !== undefined && { enabled }),
      })
      .where('guid', '=', guid)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

export async function listWebhooks(queries: Queries): Promise<readonly Webhook[]> {
  return await queries.selectFrom('webhooks').selectAll().orderBy('id').execute();
}

export async function findWebhook(queries: Queries, guid: Guid): Promise<Webhook | undefined> {
  return await queries.selectFrom('webhooks').selectAll().where('guid', '=', guid).executeTakeFirst();
}

export async function deleteWebhook(queries: Queries, guid: Guid): Promise<void> {
  await queries.deleteFrom('webhooks').where('guid', '=', guid).execute();
}

/** A new secret; those of before sign as well for so many seconds. @returns the new one, shown this once. */
export async function rotateSecret(queries: Queries, guid: Guid, overlapS: number): Promise<string> {
  const secret = newSecret();
  await queries.transaction().execute(async (transaction) => {
    const row = await transaction
      .selectFrom('webhooks')
      .select('secrets')
      .select(sql<Date>`now()`.as('now'))
      .where('guid', '=', guid)
      .forUpdate()
      .executeTakeFirstOrThrow();
    const until = new Date(row.now.getTime() + overlapS * 1000).toISOString();
    const older = livingSecrets(row.secrets, row.now).map((item) => ({
      ...item,
      until: item.until === undefined || item.until > until ? until : item.until,
    }));
    await transaction
      .updateTable('webhooks')
      .set({ secrets: json([{ secret }, ...older]), updated_at: sql<Date>`now()` })
      .where('guid', '=', guid)
      .execute();
  });
  return secret;
}

/** Those that sign at this moment, the newest first. */
export function livingSecrets(secrets: readonly WebhookSecret[], now: Date): readonly WebhookSecret[] {
  return secrets.filter(({ until }) => until === undefined || new Date(until) > now);
}

function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64url')}`;
}

/** The newest first. */
export async function listDeliveries(
  queries: Queries,
  webhook: Guid,
  { state, most }: { readonly state?: Delivery['state'] | undefined; readonly most: number },
): Promise<readonly Delivery[]> {
  let found = queries.selectFrom('webhook_deliveries').selectAll().where('webhook_guid', '=', webhook);
  if (state !== undefined) found = found.where('state', '=', state);
  return await found.orderBy('id', 'desc').limit(most).execute();
}

/** Starts one over that was given up. @returns false when there is no such. */
export async function retryDelivery(
  { queries, queue }: Pick<Database, 'queries' | 'queue'>,
  webhook: Guid,
  delivery: Guid,
): Promise<boolean> {
  return await queries.transaction().execute(async (transaction) => {
    const row = await transaction
      .updateTable('webhook_deliveries')
      .set({ state: 'PENDING', attempts: 0, updated_at: sql<Date>`now()` })
      .where('guid', '=', delivery)
      .where('webhook_guid', '=', webhook)
      .where('state', '=', 'DEAD')
      .returning('guid')
      .executeTakeFirst();
    if (row === undefined) return false;
    await queue.add('webhooks', delivery, transaction);
    return true;
  });
}

/** Begins anew with all that was given up. @returns how many. */
export async function retryDead(
  database: Pick<Database, 'queries' | 'queue'>,
  webhook: Guid,
): Promise<number> {
  const dead = await database.queries
    .selectFrom('webhook_deliveries')
    .select('guid')
    .where('webhook_guid', '=', webhook)
    .where('state', '=', 'DEAD')
    .orderBy('id')
    .execute();
  let begun = 0;
  for (const { guid } of dead) if (await retryDelivery(database, webhook, guid)) begun += 1;
  return begun;
}
