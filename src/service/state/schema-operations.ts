/** Tables of migration 0006. */
import type { Guid } from '../../words/ids.ts';
import type { DefaultJsonColumn, Generated, Instant, JsonColumn, Made, ResourceColumns } from './columns.ts';

/** The feed of builds that ended. What it names may be gone. */
export interface BuildEndsTable {
  id: Made<number>;
  at: Instant;
  build_guid: Guid;
  app_guid: Guid;
  app_name: string;
  space_guid: Guid;
  state: 'STAGED' | 'FAILED';
  error_id: string | null;
  error_description: string | null;
}

/** `until`: ISO 8601; it signs no longer than that. */
export interface WebhookSecret {
  readonly secret: string;
  readonly until?: string;
}

export interface WebhooksTable extends ResourceColumns {
  name: string;
  url: string;
  /** Null: of all spaces. */
  space_guid: Guid | null;
  /** May be an address of a private network, or this machine. */
  allow_private: Generated<boolean>;
  enabled: Generated<boolean>;
  /** The newest first. */
  secrets: JsonColumn<readonly WebhookSecret[]>;
}

export interface WebhookDeliveriesTable extends ResourceColumns {
  webhook_guid: Guid;
  build_end_id: number;
  state: Generated<'PENDING' | 'DELIVERED' | 'DEAD'>;
  attempts: Generated<number>;
  last_status: number | null;
  last_error: string | null;
}

/** What the servers did by themselves. */
export interface UpkeepRunsTable {
  id: Made<number>;
  task: string;
  /** The hour that it was done for. */
  slot: Instant;
  server: string;
  started_at: Instant;
  ended_at: Date | null;
  outcome: 'done' | 'failed' | null;
  facts: DefaultJsonColumn<Readonly<Record<string, unknown>>>;
}

export interface OperationTables {
  build_ends: BuildEndsTable;
  webhooks: WebhooksTable;
  webhook_deliveries: WebhookDeliveriesTable;
  upkeep_runs: UpkeepRunsTable;
}
