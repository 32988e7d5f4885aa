/** Reads an archive of export-state.ts into an empty database and an empty blobstore. All rows come, or none. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { sql } from 'kysely';
import { extract, type Header as TarHeader } from 'tar-stream';
import { z } from 'zod';
import { listBlobNames } from '../../stores/blobs/admin.ts';
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { StagerError, throwIfCancelled } from '../../words/errors.ts';
import { parseSha256 } from '../../words/ids.ts';
import type { Database, Queries } from '../state/database.ts';
import { SCHEMA } from '../state/migrate.ts';
import {
  ARCHIVE_END,
  ARCHIVE_HEADER,
  ArchiveDigest,
  BlobFacts,
  BlobPath,
  End,
  FORMAT,
  Header,
  MOST_JSON,
  TABLES,
} from './archive.ts';

/** Bytes of one piece of a table: far more than export-state.ts writes. */
const MOST_PIECE = 256 * 1024 * 1024;

export interface ImportParts {
  readonly database: Pick<Database, 'queries' | 'queue'>;
  readonly blobs: BlobStore;
  readonly signal: AbortSignal;
}

/** One part of the tar. */
interface Part extends AsyncIterable<unknown> {
  readonly header: TarHeader;
}

export interface ImportReport extends End {
  readonly from: Pick<Header, 'version' | 'at'>;
}

/** @throws StagerError CONFIG_INVALID when the target is not empty, or the archive is newer, damaged or cut off. */
export async function importState(parts: ImportParts, source: Readable): Promise<ImportReport> {
  const { queries, queue } = parts.database;
  await demandEmpty(parts);
  return await queries.transaction().execute(async (transaction) => {
    await sql`set local idle_in_transaction_session_timeout = 0`.execute(transaction);
    // Apps and droplets refer to each other.
    await sql`alter table apps alter constraint apps_current_droplet deferrable initially deferred`.execute(
      transaction,
    );
    for (const table of ['environment_variable_groups', 'clients'])
      await sql`delete from ${sql.table(table)}`.execute(transaction);
    const report = await readArchive(transaction, parts, source);
    await sql`set constraints all immediate`.execute(transaction);
    await sql`alter table apps alter constraint apps_current_droplet not deferrable`.execute(transaction);
    await numberOn(transaction);
    await forgetClaims(transaction);
    await addJobs({ queries: transaction, queue });
    return report;
  });
}

/** What a new database has by itself is let go. */
async function demandEmpty({ database, blobs, signal }: ImportParts): Promise<void> {
  for (const table of TABLES) {
    if (table === 'environment_variable_groups' || table === 'clients') continue;
    const { rows } = await sql`select 1 from ${sql.table(table)} limit 1`.execute(database.queries);
    if (rows.length > 0) throw notEmpty(`the database has rows in ${table}`);
  }
  for await (const { key } of listBlobNames(blobs, { signal })) {
    throw notEmpty(`${blobs.url} has ${key.kind}/${key.name}`);
  }
}

function notEmpty(what: string): StagerError {
  return new StagerError('CONFIG_INVALID', `the target of the import is not empty: ${what}`, {
    next: 'Import into a new database and a new blobstore, before you start a server with them.',
  });
}

async function readArchive(queries: Queries, parts: ImportParts, source: Readable): Promise<ImportReport> {
  const { blobs, signal } = parts;
  const entries = extract();
  const reading = pipeline(source, entries, { signal });
  reading.catch(() => undefined);
  const digest = new ArchiveDigest();
  let header: Header | undefined;
  let end: End | undefined;
  const counts = { rows: 0, blobs: 0 };
  for await (const entry of entries) {
    throwIfCancelled(signal);
    const { name, size = 0 } = entry.header;
    if (end !== undefined) throw damaged(`${name} comes after its end`);
    if (name === ARCHIVE_END) {
      end = await jsonOf(entry, End);
      continue;
    }
    digest.entry(name, size);
    const counted = counting(entry, digest);
    if (header === undefined) header = await headerOf(name, counted);
    else if (name.startsWith('tables/')) counts.rows += await readPiece(queries, { name, header, counted });
    else {
      await readBlob(entry, { counted, blobs, signal });
      counts.blobs += 1;
    }
  }
  await reading;
  if (header === undefined || end === undefined) throw damaged('it is cut off');
  if (end.sha256 !== digest.soFar() || end.rows !== counts.rows || end.blobs !== counts.blobs)
    throw damaged('its checksum differs');
  return { ...end, from: { version: header.version, at: header.at } };
}

async function* counting(entry: Part, digest: ArchiveDigest): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of entry) {
    if (!(chunk instanceof Uint8Array)) throw new Error('a part that is not bytes');
    digest.bytes(chunk);
    yield chunk;
  }
}

async function textOf(chunks: AsyncIterable<unknown>, most: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    if (!(chunk instanceof Uint8Array)) throw new Error('a part that is not bytes');
    size += chunk.length;
    if (size > most) throw damaged('a part is larger than in any export');
    pieces.push(chunk);
  }
  return Buffer.concat(pieces).toString('utf8');
}

async function jsonOf<T>(chunks: AsyncIterable<unknown>, schema: z.ZodType<T>): Promise<T> {
  const text = await textOf(chunks, MOST_JSON);
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw damaged('its description of itself is not valid', cause);
  }
}

async function headerOf(name: string, chunks: AsyncIterable<Uint8Array>): Promise<Header> {
  if (name !== ARCHIVE_HEADER) throw damaged(`it begins with ${JSON.stringify(name.slice(0, 100))}`);
  const header = await jsonOf(chunks, Header);
  const unknown = header.schema.filter((step) => !SCHEMA.includes(step));
  if (header.format > FORMAT || unknown.length > 0) {
    throw new StagerError('CONFIG_INVALID', `the export is of a newer stager (${header.version})`, {
      next: `Import it with stager ${header.version} or later.`,
      details: { format: header.format, unknown },
    });
  }
  return header;
}

const Piece = z.string().regex(/^tables\/\w+\/\d+\.jsonl$/);

/** @returns how many rows. Columns that the export's schema lacked get their defaults. */
async function readPiece(
  queries: Queries,
  {
    name,
    header,
    counted,
  }: { readonly name: string; readonly header: Header; readonly counted: AsyncIterable<Uint8Array> },
): Promise<number> {
  const table = TABLES.find((known) => name.startsWith(`tables/${known}/`));
  const columns = table === undefined ? undefined : header.tables[table];
  if (table === undefined || columns === undefined || !Piece.safeParse(name).success)
    throw damaged(`it has no part ${JSON.stringify(name.slice(0, 100))}`);
  const lines = (await textOf(counted, MOST_PIECE)).split('\n').filter((line) => line !== '');
  const names = sql.join(columns.map((column) => sql.ref(column)));
  await sql`insert into ${sql.table(table)} (${names}) overriding system value
    select ${names} from jsonb_populate_recordset(null::${sql.table(table)}, ${`[${lines.join(',')}]`}::jsonb)`.execute(
    queries,
  );
  return lines.length;
}

async function readBlob(
  entry: Part,
  {
    counted,
    blobs,
    signal,
  }: {
    readonly counted: AsyncIterable<Uint8Array>;
    readonly blobs: BlobStore;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { name, size = 0, pax } = entry.header;
  const key = BlobPath.safeParse(name).data;
  const facts = BlobFacts.safeParse(pax ?? {}).data;
  const sha256 = parseSha256(facts?.['STAGER.sha256'] ?? '');
  if (key === undefined || facts === undefined || sha256 === undefined)
    throw damaged(`it has no part ${JSON.stringify(name.slice(0, 100))}`);
  await blobs.put(key, Readable.from(counted, { objectMode: false }), {
    contentType: facts['STAGER.contenttype'],
    signal,
    expected: { sha256, sizeBytes: size },
  });
}

/** New rows get numbers behind those that came. */
async function numberOn(queries: Queries): Promise<void> {
  const { rows } = await sql`select table_name from information_schema.columns
    where table_schema = current_schema() and column_name = 'id' and is_identity = 'YES'`.execute(queries);
  for (const { table_name: table } of z.array(z.object({ table_name: z.string() })).parse(rows)) {
    await sql`select setval(pg_get_serial_sequence(${table}, 'id'),
      (select coalesce(max(id), 0) + 1 from ${sql.table(table)}), false)`.execute(queries);
  }
}

/** Who worked on a build is not here. The server that starts first puts builds into the queue. */
async function forgetClaims(queries: Queries): Promise<void> {
  await sql`update builds set claimed_by = null, heartbeat_at = null
    where state = 'STAGING' and claimed_by is not null`.execute(queries);
}

async function addJobs({ queries, queue }: Pick<Database, 'queries' | 'queue'>): Promise<void> {
  const jobs = await queries
    .selectFrom('jobs')
    .select('guid')
    .where('state', 'in', ['PROCESSING', 'POLLING'])
    .execute();
  for (const { guid } of jobs) await queue.add('jobs', guid, queries);
}

function damaged(why: string, cause?: unknown): StagerError {
  return new StagerError('CONFIG_INVALID', `this is not a complete export of stager: ${why}`, {
    next: 'Give a complete file from `stager admin export`.',
    cause,
  });
}
