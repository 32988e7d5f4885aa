/** Writes the whole state as one archive. Rows are those of one moment, also while a server works with the database. */
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { sql } from 'kysely';
import { type Pack, pack } from 'tar-stream';
import { z } from 'zod';
import { listBlobNames } from '../../stores/blobs/admin.ts';
import type { BlobInfo, BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { isStagerError, throwIfCancelled } from '../../words/errors.ts';
import type { Database, Queries } from '../state/database.ts';
import { SCHEMA } from '../state/migrate.ts';
import {
  ARCHIVE_END,
  ARCHIVE_HEADER,
  ArchiveDigest,
  type End,
  FORMAT,
  type Header,
  TABLES,
} from './archive.ts';

/** Rows of a piece. The largest are lines of logs. */
const PIECE = 500;

export interface ExportParts {
  readonly database: Pick<Database, 'queries'>;
  /** Without, rows only: for who copies the bucket otherwise. */
  readonly blobs?: BlobStore;
  /** Of stager. */
  readonly version: string;
  readonly signal: AbortSignal;
}

export interface ExportReport extends End {
  /** Blobs that went between the listing and their turn: rows of the same moment may name them. */
  readonly gone: number;
}

/** @throws StagerError when the blobstore fails; what the stream throws. */
export async function exportState(parts: ExportParts, out: Writable): Promise<ExportReport> {
  const archive = new Archive();
  const written = pipeline(archive.stream, out, { signal: parts.signal });
  const writing = write(parts, archive).catch((error: unknown) => {
    archive.stream.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  // The first of the two to fail is the reason; the other follows from it.
  const [report] = await Promise.all([writing, written]);
  return report;
}

async function write(parts: ExportParts, archive: Archive): Promise<ExportReport> {
  const rows = await writeTables(parts, archive);
  const { blobs, gone } =
    parts.blobs === undefined ? { blobs: 0, gone: 0 } : await writeBlobs(parts, archive);
  const end = { sha256: archive.digest.soFar(), rows, blobs };
  await archive.add(ARCHIVE_END, Buffer.from(JSON.stringify(end)));
  archive.stream.finalize();
  return { ...end, gone };
}

/** The tar, with the digest of what went into it. */
class Archive {
  readonly stream: Pack = pack();
  readonly digest = new ArchiveDigest();

  async add(name: string, bytes: Uint8Array): Promise<void> {
    this.digest.entry(name, bytes.length);
    this.digest.bytes(bytes);
    await new Promise<void>((resolve, reject) => {
      this.stream.entry({ name, mode: 0o600 }, Buffer.from(bytes), (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  async addBlob(info: BlobInfo, body: AsyncIterable<Uint8Array>): Promise<void> {
    const name = `blobs/${info.key.kind}/${info.key.name}`;
    const pax = { 'STAGER.contenttype': info.contentType, 'STAGER.sha256': info.sha256 };
    this.digest.entry(name, info.sizeBytes);
    const entry = this.stream.entry({ name, mode: 0o600, size: info.sizeBytes, pax });
    const { digest } = this;
    await pipeline(
      body,
      async function* counted(chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          digest.bytes(chunk);
          yield chunk;
        }
      },
      entry,
    );
  }
}

/** @returns how many rows. */
async function writeTables(parts: ExportParts, archive: Archive): Promise<number> {
  const { database, version, blobs, signal } = parts;
  return await database.queries
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (transaction) => {
      // Whoever reads the archive may be slow.
      await sql`set local idle_in_transaction_session_timeout = 0`.execute(transaction);
      const header: Header = {
        format: FORMAT,
        version,
        schema: [...SCHEMA],
        at: new Date().toISOString(),
        blobs: blobs !== undefined,
        tables: await columnsOf(transaction),
      };
      await archive.add(ARCHIVE_HEADER, Buffer.from(JSON.stringify(header)));
      let rows = 0;
      for (const table of TABLES) rows += await writeTable(transaction, table, { archive, signal });
      return rows;
    });
}

const Columns = z.array(z.object({ table_name: z.string(), column_name: z.string() }));

async function columnsOf(queries: Queries): Promise<Record<string, string[]>> {
  const { rows } = await sql`select table_name, column_name from information_schema.columns
    where table_schema = current_schema() order by table_name, ordinal_position`.execute(queries);
  const all = Columns.parse(rows);
  return Object.fromEntries(
    TABLES.map((table) => [
      table,
      all.filter(({ table_name }) => table_name === table).map(({ column_name }) => column_name),
    ]),
  );
}

const Lines = z.array(z.object({ line: z.string() }));

/** Through a cursor: memory does not grow with the table. Rows are text from the database to the database. */
async function writeTable(
  queries: Queries,
  table: (typeof TABLES)[number],
  { archive, signal }: { readonly archive: Archive; readonly signal: AbortSignal },
): Promise<number> {
  await sql`declare piece cursor for select to_jsonb(t)::text as line from ${sql.table(table)} t`.execute(
    queries,
  );
  let count = 0;
  for (let piece = 1; ; piece += 1) {
    throwIfCancelled(signal);
    const { rows } = await sql.raw(`fetch ${PIECE} from piece`).execute(queries);
    const lines = Lines.parse(rows);
    if (lines.length === 0) break;
    const text = lines.map(({ line }) => `${line}\n`).join('');
    await archive.add(`tables/${table}/${String(piece).padStart(8, '0')}.jsonl`, Buffer.from(text));
    count += lines.length;
  }
  await sql`close piece`.execute(queries);
  return count;
}

async function writeBlobs({ blobs, signal }: ExportParts, archive: Archive) {
  const counts = { blobs: 0, gone: 0 };
  if (blobs === undefined) return counts;
  for await (const { key } of listBlobNames(blobs, { signal })) {
    const found = await blobs.get(key, { signal }).catch((error: unknown) => {
      if (isStagerError(error, 'BLOB_NOT_FOUND')) return undefined;
      throw error;
    });
    if (found === undefined) {
      counts.gone += 1;
      continue;
    }
    await archive.addBlob(found.info, found.body);
    counts.blobs += 1;
  }
  return counts;
}
