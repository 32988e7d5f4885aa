/** Tables of migration 0002, with columns of later ones. */
import type { GivenCredentials } from '../../stores/registry/credentials.ts';
import type { Guid } from '../../words/ids.ts';
import type {
  DefaultJsonColumn,
  Generated,
  Instant,
  JsonColumn,
  MetadataColumns,
  NullableJsonColumn,
  ResourceColumns,
} from './columns.ts';

export type LifecycleType = 'buildpack' | 'cnb' | 'docker';
export type AppVariables = Readonly<Record<string, string>>;

export interface AppsTable extends ResourceColumns, MetadataColumns {
  name: string;
  space_guid: Guid;
  desired_state: Generated<'STARTED' | 'STOPPED'>;
  lifecycle_type: Generated<LifecycleType>;
  buildpacks: DefaultJsonColumn<readonly string[]>;
  stack: string | null;
  environment_variables: DefaultJsonColumn<AppVariables>;
  features: DefaultJsonColumn<Readonly<Record<string, boolean>>>;
  /** By registry; for Cloud Native Buildpacks. */
  registry_credentials: NullableJsonColumn<GivenCredentials | null>;
  current_droplet_guid: Guid | null;
  /** A job is deleting it: nothing new is made for it. */
  deleting: Generated<boolean>;
}

export interface HealthCheckColumn {
  readonly type: string;
  readonly data: Readonly<Record<string, string | number | null>>;
}

export interface ProcessesTable extends ResourceColumns, MetadataColumns {
  app_guid: Guid;
  type: string;
  command: string | null;
  instances: number;
  memory_in_mb: number;
  disk_in_mb: number;
  log_rate_limit_in_bytes_per_second: Generated<number>;
  health_check: JsonColumn<HealthCheckColumn>;
  readiness_health_check: JsonColumn<HealthCheckColumn>;
  process_user: string | null;
}

export interface SidecarsTable extends ResourceColumns {
  app_guid: Guid;
  name: string;
  command: string;
  process_types: JsonColumn<readonly string[]>;
  memory_in_mb: number | null;
  origin: Generated<'user' | 'buildpack'>;
}

export type PackageState =
  | 'AWAITING_UPLOAD'
  | 'PROCESSING_UPLOAD'
  | 'READY'
  | 'FAILED'
  | 'COPYING'
  | 'EXPIRED';

export interface PackagesTable extends ResourceColumns, MetadataColumns {
  app_guid: Guid;
  type: Generated<'bits' | 'docker'>;
  state: PackageState;
  error: string | null;
  sha256: string | null;
  size_in_bytes: number | null;
  /** How much of that came with the upload, as it was sent. */
  sent_in_bytes: number | null;
  /** The package in the blobstore; copies share it. */
  content_guid: Guid | null;
  data: DefaultJsonColumn<Readonly<Record<string, unknown>>>;
}

export type BuildState = 'STAGING' | 'STAGED' | 'FAILED';

/** The request that asked for a build, so that a log and a trace can be followed across the queue. */
export interface BuildTrace {
  readonly request?: string;
  /** As W3C's `traceparent`. */
  readonly parent?: string;
}

export interface BuildsTable extends ResourceColumns, MetadataColumns {
  app_guid: Guid;
  package_guid: Guid;
  state: BuildState;
  /** Name of the error in Cloud Controller's table, such as `NoAppDetectedError`. */
  error_id: string | null;
  error_description: string | null;
  lifecycle_type: LifecycleType;
  /** An image has no stack. */
  lifecycle_data: JsonColumn<{ readonly buildpacks: readonly string[]; readonly stack: string | null }>;
  registry_credentials: NullableJsonColumn<GivenCredentials | null>;
  environment: DefaultJsonColumn<AppVariables>;
  staging_memory_in_mb: number;
  staging_disk_in_mb: number;
  staging_log_rate_limit_bytes_per_second: Generated<number>;
  created_by: JsonColumn<{
    readonly guid: string;
    readonly name: string | null;
    readonly email: string | null;
  }>;
  cancel_requested_at: Instant | null;
  /** Which worker has it; with its fence it may write, see the migration. */
  claimed_by: string | null;
  claimed_at: Instant | null;
  heartbeat_at: Instant | null;
  fence: Generated<number>;
  attempts: Generated<number>;
  finished_at: Instant | null;
  /** The name of who began it last: its next build is preferably given there. */
  worker_name: string | null;
  /** Since when no living worker is large enough for it. */
  unfit_since: Instant | null;
  /** Why it waits, when that is not only its turn. */
  wait_reason: string | null;
  trace: DefaultJsonColumn<BuildTrace>;
}

export type DropletState =
  | 'STAGING'
  | 'AWAITING_UPLOAD'
  | 'PROCESSING_UPLOAD'
  | 'COPYING'
  | 'STAGED'
  | 'FAILED'
  | 'EXPIRED';

/** Which buildpack did what, as the v3 API shows it. */
export interface DropletBuildpack {
  readonly name: string;
  readonly detect_output: string | null;
  readonly buildpack_name: string | null;
  readonly version: string | null;
}

export interface DropletsTable extends ResourceColumns, MetadataColumns {
  app_guid: Guid;
  package_guid: Guid | null;
  build_guid: Guid | null;
  state: DropletState;
  error: string | null;
  lifecycle_type: LifecycleType;
  lifecycle_data: DefaultJsonColumn<Readonly<Record<string, unknown>>>;
  stack: string | null;
  image: string | null;
  buildpacks: DefaultJsonColumn<readonly DropletBuildpack[]>;
  process_types: DefaultJsonColumn<Readonly<Record<string, string>>>;
  sidecars: DefaultJsonColumn<readonly unknown[]>;
  execution_metadata: Generated<string>;
  sha1: string | null;
  sha256: string | null;
  size_in_bytes: number | null;
  /** Name of the droplet in the blobstore; copies share it. */
  content_key: string | null;
}

export interface AppTables {
  apps: AppsTable;
  processes: ProcessesTable;
  sidecars: SidecarsTable;
  packages: PackagesTable;
  builds: BuildsTable;
  droplets: DropletsTable;
}
