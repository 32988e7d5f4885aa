/** The state of a server, opened for `stager admin`: its data directory, or --database and --blobstore. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openEndpointStager, type Stager } from '../../../compose.ts';
import { type Database, openDatabase } from '../../../service/state/database.ts';
import { StagerError } from '../../../words/errors.ts';
import type { Context } from '../input/context.ts';

export interface AdminPlace {
  readonly database: Database;
  readonly stager: Stager;
  /** Directory of the server. */
  readonly data: string;
}

/** `mayBeNew`: an embedded database is made where there is none. */
export async function withState<T>(
  { config }: Context,
  work: (place: AdminPlace) => Promise<T>,
  mayBeNew = false,
): Promise<T> {
  const { database: url, data = join(config.home, 'serve') } = config.settings;
  const dir = join(data, 'database');
  if (url === undefined && !mayBeNew) await demandThere(dir);
  await using stager = openEndpointStager(config, data);
  const database = await openDatabase(url === undefined ? { dir } : { url });
  try {
    return await work({ database, stager, data });
  } finally {
    await database.close();
  }
}

async function demandThere(dir: string): Promise<void> {
  if ((await stat(dir).catch(() => undefined)) !== undefined) return;
  throw new StagerError('CONFIG_INVALID', `${dir} does not contain the database of a server`, {
    next: "Give the server's --data DIR, or its --database postgres://… and --blobstore.",
  });
}
