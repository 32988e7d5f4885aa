/**
 * Whether the files of the embedded database are there, before it is started: it takes a directory that lacks a file for
 * a new one and starts over in it.
 */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { placeFirstData } from './first-data.ts';

/** What a database has from its first moment on; the log of transactions has its own checks. */
const NEEDED = ['PG_VERSION', 'global/pg_control', 'base', 'pg_wal', 'pg_xact'];

/** Beside the directory, which may be a mount: there was a database once. */
const markOf = (dir: string): string => `${dir}.made`;

/**
 * Puts the files of a new database into `dir` when there never was one, else sees to it that it is whole.
 *
 * @throws StagerError CONFIG_INVALID when it is gone, or something of it.
 */
export async function demandDatabaseFiles(dir: string): Promise<void> {
  const data = join(dir, 'pgdata');
  const entry = await kindOf(data);
  if (entry === 'absent' && (await kindOf(markOf(dir))) !== 'absent') throw lost(data, 'it is gone', dir);
  if (entry === 'other') throw lost(data, 'it is not a directory');
  if (entry === 'absent') await placeFirstData(dir);
  else {
    for (const name of NEEDED)
      if ((await kindOf(join(data, name))) === 'absent') throw lost(data, `${name} is gone`);
    const control = await readFile(join(data, 'global/pg_control'));
    if (control.every((byte) => byte === 0)) throw lost(data, 'global/pg_control is empty');
  }
  await writeFile(markOf(dir), '', { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
  });
}

/** The failure of a database that does not start: what its engine says is of no use to a person. */
export function databaseNotStarted(dir: string, cause: unknown): unknown {
  if (cause instanceof StagerError || /^(ENOSPC|EDQUOT|EFBIG)$/.test(errnoOf(cause) ?? '')) return cause;
  return lost(join(dir, 'pgdata'), `it does not start (${saidBy(cause)})`, undefined, cause);
}

function saidBy(cause: unknown): string {
  if (cause instanceof Error) return cause.message.split('\n', 1)[0] ?? '';
  return errnoOf(cause) ?? 'no reason given';
}

async function kindOf(path: string): Promise<'directory' | 'absent' | 'other'> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'other';
  } catch (error) {
    return errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR' ? 'absent' : 'other';
  }
}

function lost(data: string, why: string, dir?: string, cause?: unknown): StagerError {
  const again = dir === undefined ? '' : ` If it was deleted on purpose, delete ${markOf(dir)} too.`;
  return new StagerError('CONFIG_INVALID', `the database in ${data} can't be used: ${why}`, {
    next: `Mount it, or restore the whole data directory from a backup.${again}`,
    details: { path: data },
    cause,
  });
}
