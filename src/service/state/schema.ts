/** Every table as a type. The truth is in migrations/; a test compares the two. */
import type { AppTables } from './schema-apps.ts';
import type { OperationTables } from './schema-operations.ts';
import type { PageTables } from './schema-page.ts';
import type { PlatformTables } from './schema-platform.ts';
import type { TenancyTables } from './schema-tenancy.ts';
import type { WorkerTables } from './schema-workers.ts';

/** What kysely knows of the database. */
export interface Schema
  extends TenancyTables,
    AppTables,
    PlatformTables,
    WorkerTables,
    PageTables,
    OperationTables {}
