/** LISTEN and NOTIFY over a separate connection, which is reopened when it breaks. */
import pg from 'pg';
import { LocalSignals, readSignal, type Signal, type Signals, signalText } from './signals.ts';

const CHANNEL = 'stager';
/** Milliseconds. */
const [CONNECT_TIMEOUT_MS, AGAIN_MS] = [10_000, 1000];

/** See the top of the file. */
export class PostgresSignals implements Signals {
  readonly #url: string;
  readonly #pool: pg.Pool;
  readonly #local = new LocalSignals();
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** Connects in the background. */
  constructor(url: string, pool: pg.Pool) {
    this.#url = url;
    this.#pool = pool;
  }

  send(signal: Signal): void {
    this.#pool.query('select pg_notify($1, $2)', [CHANNEL, signalText(signal)]).catch(() => undefined);
  }

  /** The first listener opens the connection: who never listens needs none. */
  listen(listener: Parameters<Signals['listen']>[0]): () => void {
    if (this.#client === undefined && this.#timer === undefined && !this.#closed) void this.#connect();
    return this.#local.listen(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#local.close();
    await this.#client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    this.#timer = undefined;
    const client = new pg.Client({
      connectionString: this.#url,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      application_name: 'stager listens',
      keepAlive: true,
    });
    this.#client = client;
    client.on('notification', ({ payload = '' }) => {
      const signal = readSignal(payload);
      if (signal !== undefined) this.#local.send(signal);
    });
    client.on('error', () => undefined);
    client.once('end', () => this.#again());
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
      // What was said meanwhile was not heard.
      this.#local.send({ kind: 'unknown' });
    } catch {
      await client.end().catch(() => undefined);
      this.#again();
    }
  }

  #again(): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.#connect(), AGAIN_MS);
  }
}
