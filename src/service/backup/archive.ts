/**
 * The form of an export: a tar, so that it is written and read in one pass. First `export.json` says what it is, then come
 * the rows of each table as JSON lines in pieces, then the blobs, and `end.json` has the digest of all before it: what
 * was cut off or changed is not taken.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BLOB_KINDS } from '../../stores/blobs/port/key.ts';

/** Grows when the form changes; the schema of the tables has its own version. */
export const FORMAT = 1;
export const ARCHIVE_HEADER = 'export.json';
export const ARCHIVE_END = 'end.json';
/** Bytes of header and end that are read at most. */
export const MOST_JSON = 1024 * 1024;

/**
 * Every table of the state in an order in which rows find those that they refer to. `workers` is missing: it lists
 * processes. The queue is as well: it is made from builds and jobs.
 */
export const TABLES = [
  'organizations',
  'spaces',
  'users',
  'roles',
  'accounts',
  'clients',
  'signing_keys',
  'refresh_tokens',
  'revoked_tokens',
  'feature_flags',
  'page_sessions',
  'apps',
  'processes',
  'sidecars',
  'packages',
  'builds',
  'droplets',
  'droplet_folders',
  'stacks',
  'buildpacks',
  'environment_variable_groups',
  'service_instances',
  'service_credential_bindings',
  'domains',
  'routes',
  'route_destinations',
  'jobs',
  'audit_events',
  'build_logs',
  'log_lines',
  'build_events',
  'space_turns',
  'build_ends',
  'webhooks',
  'webhook_deliveries',
  'upkeep_runs',
] as const;

export const Header = z.object({
  format: z.number(),
  /** Of stager. */
  version: z.string(),
  /** Names of the migrations that the tables have. */
  schema: z.array(z.string()),
  at: z.string(),
  blobs: z.boolean(),
  /** The columns of each table, so that a later schema fills its own with defaults. */
  tables: z.record(z.string(), z.array(z.string())),
});
export type Header = z.output<typeof Header>;

export const End = z.object({ sha256: z.string(), rows: z.number(), blobs: z.number() });
export type End = z.output<typeof End>;

/** What a blob needs besides its bytes: `blobs/KIND/NAME` has it in its pax header. */
export const BlobFacts = z.object({
  'STAGER.contenttype': z.string(),
  'STAGER.sha256': z.string().regex(/^[0-9a-f]{64}$/),
});

export const BlobPath = z
  .string()
  .regex(/^blobs\/[a-z_]+\/./)
  .transform((path) => {
    const [, kind = '', ...name] = path.split('/');
    return { kind, name: name.join('/') };
  })
  .pipe(z.object({ kind: z.enum(BLOB_KINDS), name: z.string() }));

/** The digest over everything: name, size and bytes of each entry. */
export class ArchiveDigest {
  readonly #hash = createHash('sha256');

  entry(name: string, size: number): void {
    this.#hash.update(`${name}\0${size}\0`);
  }

  bytes(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }

  /** Of what there was so far. */
  soFar(): string {
    return this.#hash.copy().digest('hex');
  }
}
