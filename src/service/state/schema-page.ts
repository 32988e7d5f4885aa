/** Tables of migration 0005. */
import type { Guid } from '../../words/ids.ts';
import type { Instant, JsonColumn } from './columns.ts';

export interface PageSessionsTable {
  /** Digest of what the browser has. */
  hash: string;
  account_guid: Guid;
  created_at: Instant;
  expires_at: Date;
}

/** A folder of a droplet with all that is below it. Bounded in depth and number, see droplet-folders.ts. */
export interface Folder {
  readonly name: string;
  readonly bytes: number;
  readonly files: number;
  readonly folders: readonly Folder[];
}

export interface DropletFoldersTable {
  droplet_guid: Guid;
  folders: JsonColumn<Folder>;
  created_at: Instant;
}

export interface PageTables {
  page_sessions: PageSessionsTable;
  droplet_folders: DropletFoldersTable;
}
