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
import { makeFirstData } from '../../../../src/service/state/make-first-data.ts';

const root = fileURLToPath(new URL('../../../..', import.meta.url));

export async function embeddedTemplate(): Promise<Blob> {
  const path = join(tmpdir(), `stager-pglite-${userId()}-${migrationsDigest()}.tar.gz`);
  const kept = await readFile(path).catch(() => undefined);
  if (kept !== undefined) return new Blob([kept]);
  const dump = await makeFirstData();
  const aside = `${path}.${process.pid}`;
  await writeFile(aside, Buffer.from(await dump.arrayBuffer()), { mode: 0o600 });
  await rename(aside, path);
  return dump;
}

/** Changes with the tables, and with the library that stands below. */
export function migrationsDigest(): string {
  const hash = createHash('sha256');
  for (const name of ['@electric-sql/pglite', 'pg-boss']) {
    hash.update(readFileSync(join(root, 'node_modules', name, 'package.json')));
  }
  for (const file of globSync('src/service/state/{migrat*{,/*},work-queue}.ts', { cwd: root }).toSorted()) {
    hash.update(readFileSync(join(root, file)));
  }
  return hash.digest('hex').slice(0, 16);
}

function userId(): number {
  return process.getuid?.() ?? 0;
}
