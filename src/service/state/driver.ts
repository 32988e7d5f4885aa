/** What is different between the two databases; nothing above this folder knows. */
import type { Dialect } from 'kysely';
import type { Database } from './database.ts';

export interface Driver {
  readonly kind: Database['kind'];
  readonly dialect: Dialect;
  readonly run: Database['run'];
  /** Gives back what the query layer's own end does not. */
  release(): Promise<void>;
}
