/** Tables of migration 0004, and a column of 0007. */
import type { Guid } from '../../words/ids.ts';
import type { DefaultJsonColumn, Generated, Instant } from './columns.ts';

/** One for each process that takes builds; gone when it ended, silent when it died. */
export interface WorkersTable {
  guid: Guid;
  /** The same after a restart. */
  name: string;
  version: string;
  /** Null: as much as is asked for. */
  memory_in_mb: number | null;
  disk_in_mb: number | null;
  slots: number;
  /** Names of stacks and of their root file systems; null: all. */
  stacks: DefaultJsonColumn<readonly string[]> | null;
  draining: Generated<boolean>;
  /** Why it takes no builds; null: its disk has room. */
  short_of_disk: string | null;
  started_at: Instant;
  heartbeat_at: Instant;
}

/** When a build of a space was taken last. */
export interface SpaceTurnsTable {
  space_guid: Guid;
  taken_at: Instant;
}

export interface WorkerTables {
  workers: WorkersTable;
  space_turns: SpaceTurnsTable;
}
