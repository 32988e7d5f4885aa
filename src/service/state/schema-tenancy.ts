/** Tables of migration 0001. */
import type { ColumnType } from 'kysely';
import type { Guid } from '../../words/ids.ts';
import type {
  DefaultJsonColumn,
  Generated,
  Instant,
  JsonColumn,
  MetadataColumns,
  ResourceColumns,
} from './columns.ts';

export interface OrganizationsTable extends ResourceColumns, MetadataColumns {
  name: string;
  suspended: Generated<boolean>;
}

export interface SpacesTable extends ResourceColumns, MetadataColumns {
  name: string;
  organization_guid: Guid;
  allow_ssh: Generated<boolean>;
}

/** An external issuer names its users as it likes: their guid is any text. */
export interface UsersTable extends Omit<ResourceColumns, 'guid'>, MetadataColumns {
  guid: string;
  username: string | null;
  origin: string | null;
}

export const ORGANIZATION_ROLES = [
  'organization_user',
  'organization_auditor',
  'organization_manager',
  'organization_billing_manager',
] as const;
export const SPACE_ROLES = ['space_auditor', 'space_developer', 'space_manager', 'space_supporter'] as const;
export const ROLES = [...ORGANIZATION_ROLES, ...SPACE_ROLES] as const;
export type RoleType = (typeof ROLES)[number];

export interface RolesTable extends ResourceColumns {
  type: RoleType;
  user_guid: string;
  organization_guid: Guid | null;
  space_guid: Guid | null;
}

export interface AccountsTable extends ResourceColumns {
  username: string;
  origin: Generated<string>;
  email: string | null;
  given_name: string | null;
  family_name: string | null;
  password_hash: string | null;
  active: Generated<boolean>;
  scopes: DefaultJsonColumn<readonly string[]>;
  failed_logins: Generated<number>;
  locked_until: ColumnType<Date | null, Date | null | undefined, Date | null>;
  tokens_valid_after: Instant;
}

export interface ClientsTable {
  id: string;
  secret_hash: string | null;
  grants: JsonColumn<readonly string[]>;
  scopes: DefaultJsonColumn<readonly string[]>;
  created_at: Instant;
}

export interface SigningKeysTable {
  kid: string;
  private_jwk: JsonColumn<Readonly<Record<string, unknown>>>;
  created_at: Instant;
}

export interface RefreshTokensTable {
  hash: string;
  jti: string;
  account_guid: Guid;
  client_id: string;
  created_at: Instant;
  expires_at: Date;
}

export interface RevokedTokensTable {
  jti: string;
  expires_at: Date;
}

export interface FeatureFlagsTable {
  name: string;
  enabled: boolean;
  error_message: string | null;
  updated_at: Instant;
}

export interface TenancyTables {
  organizations: OrganizationsTable;
  spaces: SpacesTable;
  users: UsersTable;
  roles: RolesTable;
  accounts: AccountsTable;
  clients: ClientsTable;
  signing_keys: SigningKeysTable;
  refresh_tokens: RefreshTokensTable;
  revoked_tokens: RevokedTokensTable;
  feature_flags: FeatureFlagsTable;
}
