/** `stager admin webhooks`: who is told when a build ends. */
import { z } from 'zod';
import {
  createWebhook,
  deleteWebhook,
  LONGEST_OVERLAP_S,
  listWebhooks,
  livingSecrets,
  OVERLAP_S,
  retryDead,
  rotateSecret,
  type Webhook,
  WebhookAddress,
  WebhookName,
} from '../../../service/events/webhooks.ts';
import type { Queries } from '../../../service/state/database.ts';
import { StagerError } from '../../../words/errors.ts';
import { parseGuid } from '../../../words/ids.ts';
import { formatCount, parseDuration } from '../../../words/units.ts';
import type { Context } from '../input/context.ts';
import { table } from '../terminal/table.ts';
import { withState } from './admin-place.ts';

/** With how many deliveries wait for each, and how many were given up. */
export async function adminWebhookList(context: Context): Promise<number> {
  const { output } = context;
  const rows = await withState(context, async ({ database: { queries } }) => {
    const counts = await countDeliveries(queries);
    return (await listWebhooks(queries)).map((row) => shown(row, counts));
  });
  if (output.json) for (const row of rows) output.object(row);
  else {
    const lines = rows.map(({ name, url, space, enabled, pending, dead }) => [
      name,
      url,
      space === null ? 'all spaces' : `space ${space}`,
      enabled ? '' : 'off',
      `${pending} waiting, ${dead} dead`,
    ]);
    for (const line of table(lines)) output.line(line);
  }
  return 0;
}

const Counts = z.array(z.object({ webhook: z.string(), state: z.string(), n: z.coerce.number() }));

async function countDeliveries(queries: Queries): Promise<z.output<typeof Counts>> {
  const rows = await queries
    .selectFrom('webhook_deliveries')
    .select(['webhook_guid as webhook', 'state', ({ fn }) => fn.countAll().as('n')])
    .where('state', '<>', 'DELIVERED')
    .groupBy(['webhook_guid', 'state'])
    .execute();
  return Counts.parse(rows);
}

function shown(row: Webhook, counts: z.output<typeof Counts>) {
  const { guid, name, url, enabled, allow_private, space_guid: space } = row;
  const countOf = (state: string): number =>
    counts.find((it) => it.webhook === guid && it.state === state)?.n ?? 0;
  const secrets = livingSecrets(row.secrets, new Date()).length;
  const deliveries = { pending: countOf('PENDING'), dead: countOf('DEAD') };
  return { guid, name, url, enabled, allow_private, space, secrets, ...deliveries };
}

/** The secret is shown this once. */
export async function adminWebhookCreate(context: Context): Promise<number> {
  const { args, flags, output } = context;
  const name = demand(WebhookName, args[0], 'the name');
  const url = demand(WebhookAddress, args[1], 'the address');
  const secret = await withState(context, async ({ database: { queries } }) => {
    const space = await spaceOf(queries, flags['onlySpace']);
    const allowPrivate = flags['allowPrivate'] === true;
    const made = await createWebhook(queries, { name, url, space, allowPrivate });
    if (made !== undefined) return made.secret;
    throw new StagerError('USAGE', `there is a webhook ${name}`, {
      next: 'Give another name, or delete that one first: stager admin webhooks delete.',
    });
  });
  say(output, { type: 'webhook-made', name, secret });
  return 0;
}

/** Those of before sign as well for a day, or for the time of --overlap. */
export async function adminWebhookRotate(context: Context): Promise<number> {
  const { args, flags, output } = context;
  const name = String(args[0]);
  const overlapS = overlapOf(flags['overlap']);
  const secret = await withState(context, async ({ database: { queries } }) =>
    rotateSecret(queries, (await existing(queries, name)).guid, overlapS),
  );
  say(output, { type: 'webhook-secret', name, secret });
  return 0;
}

/** What was given up begins anew, with all its attempts. */
export async function adminWebhookRedeliver(context: Context): Promise<number> {
  const { args, output } = context;
  const name = String(args[0]);
  const begun = await withState(context, async ({ database }) =>
    retryDead(database, (await existing(database.queries, name)).guid),
  );
  if (output.json) output.object({ type: 'webhook-redelivers', name, deliveries: begun });
  else output.line(`${name} is sent ${formatCount(begun, 'delivery', 'deliveries')} again`);
  return 0;
}

/** With what waits for it. */
export async function adminWebhookDelete(context: Context): Promise<number> {
  const { args, output } = context;
  const name = String(args[0]);
  await withState(context, async ({ database: { queries } }) =>
    deleteWebhook(queries, (await existing(queries, name)).guid),
  );
  say(output, { type: 'webhook-deleted', name });
  return 0;
}

async function existing(queries: Queries, name: string): Promise<Webhook> {
  const found = (await listWebhooks(queries)).find((row) => row.name === name);
  if (found !== undefined) return found;
  throw new StagerError('USAGE', `there is no webhook ${name}`, { next: 'See: stager admin webhooks list' });
}

async function spaceOf(queries: Queries, given: Context['flags'][string]) {
  if (given === undefined) return null;
  const guid = parseGuid(String(given));
  const found =
    guid && (await queries.selectFrom('spaces').select('guid').where('guid', '=', guid).executeTakeFirst());
  if (found !== undefined) return found.guid;
  throw new StagerError('USAGE', `there is no space ${String(given)}`, {
    next: 'Give the guid of a space: cf space NAME --guid.',
  });
}

function overlapOf(given: Context['flags'][string]): number {
  if (given === undefined) return OVERLAP_S;
  const ms = parseDuration(String(given));
  if (ms !== undefined && ms / 1000 <= LONGEST_OVERLAP_S) return Math.round(ms / 1000);
  throw new StagerError('USAGE', `--overlap: ${JSON.stringify(given)} is not a time of at most 720h`, {
    next: 'Give a time with a unit, such as 24h.',
  });
}

function demand(schema: typeof WebhookName, given: unknown, what: string): string {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new StagerError('USAGE', `${what} ${parsed.error.issues[0]?.message ?? 'is refused'}`, {
    next: 'For example: stager admin webhooks create ci https://ci.example.com/stager',
  });
}

const SENTENCES = {
  'webhook-made': 'is told from now on when a build ends',
  'webhook-secret': 'signs with a new secret',
  'webhook-deleted': 'deleted',
} as const;

function say(
  output: Context['output'],
  facts: { readonly type: keyof typeof SENTENCES; readonly name: string; readonly secret?: string },
): void {
  if (output.json) {
    output.object(facts);
    return;
  }
  output.line(`${facts.name} ${SENTENCES[facts.type]}`);
  if (facts.secret !== undefined) output.line(`Its secret is ${facts.secret} (shown this once)`);
}
