/** The differences between the two databases; nothing outside this folder knows them. */
import type { Dialect } from 'kysely';
import type { Db } from 'pg-boss';
import type { Database } from './database.ts';
import type { Signals } from './signals.ts';

export interface Driver {
  readonly kind: Database['kind'];
  readonly dialect: Dialect;
  readonly run: Database['run'];
  /** The same database for the queue, which sends scripts of several statements as well. */
  readonly queueDb: Db;
  readonly signals: Signals;
  /** Gives back what the query layer's own end does not. */
  release(): Promise<void>;
}
