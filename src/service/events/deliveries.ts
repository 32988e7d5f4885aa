/**
 * Tells webhooks what happened. Each delivery waits in the queue until somebody answered with 2xx; the queue gives it back
 * later and later, and after the last attempt it is DEAD: to be seen, and to be started over by an admin.
 */
import { sql } from 'kysely';
import type { Clock } from '../../words/clock.ts';
import type { Guid } from '../../words/ids.ts';
import type { ReportBug } from '../../words/report-bug.ts';
import { Taker } from '../queue/taker.ts';
import type { Database } from '../state/database.ts';
import { findBuildEnd, presentBuildEnd } from './build-ends.ts';
import { sendWebhook } from './send.ts';
import { SIGNATURE_HEADER, signatureOf } from './signature.ts';
import { livingSecrets } from './webhooks.ts';

/** At once, in this process. */
const MOST = 4;
/** 5 s, doubled up to two hours: the last is some twelve hours after the first. */
const MOST_ATTEMPTS = 15;
const LONGEST_ERROR = 500;

export interface DeliveriesParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly report: ReportBug;
  readonly version: string;
  readonly send?: typeof sendWebhook;
  /** Whom receivers are believed by; Node's own list, without. */
  readonly authorities?: () => Promise<readonly string[]>;
}

/** See the top of the file. */
export class Deliveries {
  readonly #parts: DeliveriesParts;
  readonly #taker: Taker;
  #unlisten: (() => void) | undefined;

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
    this.#taker = new Taker({
      queue: parts.database.queue,
      name: 'webhooks',
      most: MOST,
      clock: parts.clock,
      work: async (guid, signal) => await this.#work(guid, signal),
      fail: async (guid) => await this.#write(guid, { error: 'a bug of stager', dead: true }),
      report: parts.report,
    });
  }

  async start(): Promise<void> {
    const { kind, queue, queries, signals } = this.#parts.database;
    // Deliveries that a backup brought back wait in no queue.
    const left = await queries
      .selectFrom('webhook_deliveries')
      .select('guid')
      .where('state', '=', 'PENDING')
      .execute();
    for (const { guid } of left) await queue.add('webhooks', guid, queries);
    this.#unlisten = signals.listen(({ kind: word }) => {
      if (word === 'changed' || word === 'unknown') this.#taker.wake();
    });
    await this.#taker.start({ alone: kind === 'embedded' });
  }

  wake(): void {
    this.#taker.wake();
  }

  async close(): Promise<void> {
    this.#unlisten?.();
    await this.#taker.close(undefined);
  }

  async #work(guid: Guid, signal: AbortSignal): Promise<'done' | 'again'> {
    const { queries } = this.#parts.database;
    const row = await queries
      .selectFrom('webhook_deliveries as d')
      .innerJoin('webhooks as w', 'w.guid', 'd.webhook_guid')
      .select([
        'd.build_end_id',
        'd.state',
        'd.attempts',
        'w.url',
        'w.secrets',
        'w.enabled',
        'w.allow_private',
      ])
      .select(sql<Date>`now()`.as('now'))
      .where('d.guid', '=', guid)
      .executeTakeFirst();
    const end = row && (await findBuildEnd(queries, row.build_end_id));
    if (row === undefined || end === undefined || row.state !== 'PENDING') return 'done';
    const dead = row.attempts + 1 >= MOST_ATTEMPTS || !row.enabled;
    const body = JSON.stringify(presentBuildEnd(end));
    const secrets = livingSecrets(row.secrets, row.now).map(({ secret }) => secret);
    try {
      const status = await (this.#parts.send ?? sendWebhook)({
        url: row.url,
        body,
        allowPrivate: row.allow_private,
        signal,
        headers: {
          'content-type': 'application/json',
          'user-agent': `stager/${this.#parts.version}`,
          'stager-delivery': guid,
          'stager-event': 'build.ended',
          [SIGNATURE_HEADER]: signatureOf(body, secrets, Math.floor(row.now.getTime() / 1000)),
        },
        ...(this.#parts.authorities !== undefined && { authorities: await this.#parts.authorities() }),
      });
      const delivered = status >= 200 && status < 300;
      await this.#write(guid, { status, delivered, dead });
      return delivered || dead ? 'done' : 'again';
    } catch (error) {
      if (signal.aborted) return 'again';
      await this.#write(guid, { error: error instanceof Error ? error.message : String(error), dead });
      return dead ? 'done' : 'again';
    }
  }

  async #write(
    guid: Guid,
    said: {
      readonly status?: number;
      readonly error?: string;
      readonly delivered?: boolean;
      readonly dead: boolean;
    },
  ): Promise<void> {
    const { status = null, error, delivered = false, dead } = said;
    await this.#parts.database.queries
      .updateTable('webhook_deliveries')
      .set({
        state: delivered ? 'DELIVERED' : dead ? 'DEAD' : 'PENDING',
        attempts: sql<number>`attempts + 1`,
        last_status: status,
        last_error: error?.slice(0, LONGEST_ERROR) ?? null,
        updated_at: sql<Date>`now()`,
      })
      .where('guid', '=', guid)
      .execute();
  }
}
