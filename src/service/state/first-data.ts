/**
 * The files of a new embedded database. Making them (initdb) takes seconds and 500 MB, so that a dump of them, migrated,
 * is made when dist/ is built; where there is none, a process of its own makes one. It is unpacked aside, synced and
 * renamed: a directory with the final name is whole.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { access, mkdir, open, rename, rm } from 'node:fs/promises';
import { join, normalize, relative, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { execa } from 'execa';
import pLimit from 'p-limit';
import { extract } from 'tar-stream';
import { FROM_SOURCES, OWN_ROOT, ownModule } from '../../machine/host/own-package.ts';

/** In dist/, by scripts/setup.sh. */
const BUILT = join(OWN_ROOT, 'dist/first-data.tar.gz');
const MAKER = ownModule('service/state/make-first-data');
/** Syncs at once: they share a commit of the file system's journal. */
const SYNCS = 16;

/** Puts `pgdata` into the directory, unless it is there. */
export async function placeFirstData(dir: string): Promise<void> {
  const data = join(dir, 'pgdata');
  if (await isThere(data)) return;
  const aside = join(dir, 'pgdata.new');
  await rm(aside, { recursive: true, force: true });
  if (!FROM_SOURCES && (await isThere(BUILT))) await unpack(createReadStream(BUILT), aside);
  else {
    const made = join(dir, 'first-data.tar.gz');
    await execa(process.execPath, ['--disable-warning=ExperimentalWarning', MAKER, made]);
    await unpack(createReadStream(made), aside);
    await rm(made);
  }
  await rename(aside, data);
  await sync(dir);
}

async function unpack(archive: Readable, to: string): Promise<void> {
  const limit = pLimit(SYNCS);
  const syncs: Promise<void>[] = [];
  await mkdir(to, { mode: 0o700 });
  const entries = extract();
  const done = pipeline(archive, createGunzip(), entries);
  for await (const entry of entries) {
    const path = below(to, entry.header.name);
    if (entry.header.type === 'directory') await mkdir(path, { recursive: true, mode: 0o700 });
    else if (entry.header.type === 'file')
      await pipeline(entry, createWriteStream(path, { mode: 0o600, flags: 'wx' }));
    else throw new Error(`an entry that is neither file nor directory: ${entry.header.name}`);
    entry.resume();
    syncs.push(limit(() => sync(path)));
  }
  await done;
  await Promise.all(syncs);
  await sync(to);
}

function below(dir: string, name: string): string {
  const path = join(dir, normalize(name));
  if (relative(dir, path).split(sep)[0] === '..') throw new Error(`an entry outside: ${name}`);
  return path;
}

async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
