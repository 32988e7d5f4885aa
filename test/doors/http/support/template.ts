/**
 * A dump of an embedded database that is migrated already: making one takes seconds, loading it a fraction. It is kept in
 * the temporary directory under a name that changes with PGlite and with the migrations.
 */
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { Kysely, PGliteDialect } from 'kysely';
import { migrate } from '../../../../src/service/state/migrate.ts';
import type { Schema } from '../../../../src/service/state/schema.ts';

const root = fileURLToPath(new URL('../../../..', import.meta.url));

export async function embeddedTemplate(): Promise<Blob> {
  const path = join(tmpdir(), `stager-pglite-${userId()}-${fingerprint()}.tar.gz`);
  const kept = await readFile(path).catch(() => undefined);
  if (kept !== undefined) return new Blob([kept]);
  const pglite = await PGlite.create();
  await migrate(new Kysely<Schema>({ dialect: new PGliteDialect({ pglite }) }));
  const dump = await pglite.dumpDataDir('gzip');
  await pglite.close();
  const aside = `${path}.${process.pid}`;
  await writeFile(aside, Buffer.from(await dump.arrayBuffer()), { mode: 0o600 });
  await rename(aside, path);
  return dump;
}

function fingerprint(): string {
  const hash = createHash('sha256');
  hash.update(readFileSync(join(root, 'node_modules/@electric-sql/pglite/package.json')));
  for (const file of globSync('src/service/state/migrat*/**', { cwd: root }).toSorted()) {
    if (file.endsWith('.ts')) hash.update(readFileSync(join(root, file)));
  }
  return hash.digest('hex').slice(0, 16);
}

function userId(): number {
  return process.getuid?.() ?? 0;
}
