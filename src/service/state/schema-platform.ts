/** Tables of migration 0003. */
import type { Guid } from '../../words/ids.ts';
import type { DefaultJsonColumn, Generated, Instant, MetadataColumns, ResourceColumns } from './columns.ts';
import type { AppVariables, LifecycleType } from './schema-apps.ts';

export interface StacksTable extends ResourceColumns, MetadataColumns {
  name: string;
  description: string | null;
  state: Generated<string>;
  state_reason: string | null;
  is_default: Generated<boolean>;
  /** Name of the root file system in the stack store of the machine. */
  rootfs: string;
}

export interface BuildpacksTable extends ResourceColumns, MetadataColumns {
  name: string;
  stack: string | null;
  lifecycle: Generated<LifecycleType>;
  position: number;
  enabled: Generated<boolean>;
  locked: Generated<boolean>;
  state: Generated<'AWAITING_UPLOAD' | 'READY'>;
  filename: string | null;
  version: string | null;
  sha256: string | null;
  /** Name of the archive in the blobstore. */
  content_key: string | null;
  /** Or: which of the buildpacks that ship with stager it is. */
  shipped_as: string | null;
}

export interface EnvironmentVariableGroupsTable {
  name: 'running' | 'staging';
  var: DefaultJsonColumn<AppVariables>;
  updated_at: Instant | null;
}

export interface ServiceInstancesTable extends ResourceColumns, MetadataColumns {
  space_guid: Guid;
  name: string;
  type: Generated<'user-provided'>;
  credentials: DefaultJsonColumn<Readonly<Record<string, unknown>>>;
  syslog_drain_url: string | null;
  route_service_url: string | null;
  tags: DefaultJsonColumn<readonly string[]>;
}

export interface ServiceCredentialBindingsTable extends ResourceColumns, MetadataColumns {
  type: 'app' | 'key';
  name: string | null;
  service_instance_guid: Guid;
  app_guid: Guid | null;
}

export interface DomainsTable extends ResourceColumns, MetadataColumns {
  name: string;
  internal: Generated<boolean>;
  /** Absent: shared by all organizations. */
  organization_guid: Guid | null;
}

export interface RoutesTable extends ResourceColumns, MetadataColumns {
  space_guid: Guid;
  domain_guid: Guid;
  host: Generated<string>;
  path: Generated<string>;
  port: number | null;
  protocol: Generated<string>;
  options: DefaultJsonColumn<Readonly<Record<string, string>>>;
}

export interface RouteDestinationsTable extends ResourceColumns {
  route_guid: Guid;
  app_guid: Guid;
  process_type: Generated<string>;
  port: number | null;
  protocol: string | null;
}

export type JobState = 'PROCESSING' | 'POLLING' | 'COMPLETE' | 'FAILED';

/** An error as a job shows it. */
export interface JobError {
  readonly code: number;
  readonly title: string;
  readonly detail: string;
}

export interface JobsTable extends ResourceColumns {
  /** Such as `organization.delete`. */
  operation: string;
  state: Generated<JobState>;
  user_guid: string | null;
  /** What the work needs to know to be taken up again after a crash. */
  input: DefaultJsonColumn<Readonly<Record<string, unknown>>>;
  errors: DefaultJsonColumn<readonly JobError[]>;
  warnings: DefaultJsonColumn<readonly { readonly detail: string }[]>;
  claimed_by: string | null;
  heartbeat_at: Instant | null;
  fence: Generated<number>;
  attempts: Generated<number>;
}

export interface AuditEventsTable extends ResourceColumns {
  type: string;
  actor_guid: string;
  actor_type: string;
  actor_name: string | null;
  target_guid: string;
  target_type: string;
  target_name: string | null;
  data: DefaultJsonColumn<Readonly<Record<string, unknown>>>;
  space_guid: Guid | null;
  organization_guid: Guid | null;
}

export interface BuildLogsTable {
  build_guid: Guid;
  app_guid: Guid;
  space_guid: Guid;
  created_at: Instant;
  /** Set when the last line is durable. */
  closed_at: Instant | null;
}

export interface LogLinesTable {
  build_guid: Guid;
  sequence: number;
  app_guid: Guid;
  /** Microseconds since 1970. */
  at_us: number;
  stream: 'stdout' | 'stderr';
  text: string;
}

/** What a staging told, as our own client shows it. JSON as text: jsonb takes no NUL, which a script may write. */
export interface BuildEventsTable {
  build_guid: Guid;
  sequence: number;
  event: string;
}

export interface PlatformTables {
  stacks: StacksTable;
  buildpacks: BuildpacksTable;
  environment_variable_groups: EnvironmentVariableGroupsTable;
  service_instances: ServiceInstancesTable;
  service_credential_bindings: ServiceCredentialBindingsTable;
  domains: DomainsTable;
  routes: RoutesTable;
  route_destinations: RouteDestinationsTable;
  jobs: JobsTable;
  audit_events: AuditEventsTable;
  build_logs: BuildLogsTable;
  log_lines: LogLinesTable;
  build_events: BuildEventsTable;
}
