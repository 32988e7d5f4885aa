/** `node make-first-data.js FILE`: writes the files of a new, migrated embedded database as a tar.gz. */
import { argv } from 'node:process';
import { PGlite } from '@electric-sql/pglite';
import { Kysely, PGliteDialect } from 'kysely';
import { fromPglite } from 'pg-boss';
import { replaceFile } from '../../machine/host/replace-file.ts';
import { migrate } from './migrate.ts';
import { PGLITE_OPTIONS } from './pglite-options.ts';
import type { Schema } from './schema.ts';
import { WorkQueue } from './work-queue.ts';

export async function makeFirstData(): Promise<Blob> {
  const pglite = await PGlite.create(PGLITE_OPTIONS);
  await migrate(new Kysely<Schema>({ dialect: new PGliteDialect({ pglite }) }));
  const queue = await WorkQueue.open(fromPglite(pglite), 'embedded');
  await queue.close();
  const dump = await pglite.dumpDataDir('gzip');
  await pglite.close();
  return dump;
}

if (import.meta.main) {
  const [, , to] = argv;
  if (to === undefined) throw new Error('which file?');
  const dump = await makeFirstData();
  await replaceFile(to, new Uint8Array(await dump.arrayBuffer()), { mode: 0o600, durable: false });
}
