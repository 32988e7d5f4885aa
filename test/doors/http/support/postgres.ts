/** A PostgreSQL server of Debian's for one test file: a cluster in a temporary directory, as `postgres` when we are root. */
import { execFile } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { chown, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { openDatabase } from '../../../../src/service/state/database.ts';
import { freePort } from '../../../support/free-port.ts';
import { migrationsDigest } from './template.ts';

/** A running server. */
export interface PostgresServer {
  /** The address of a database that has the tables already. */
  readonly migrated: string;
  /** The address of a new, empty database; `template` names one to copy. */
  createDatabase(template?: string): Promise<string>;
  /** Ends it, by kill -9 or in order, and starts it again in the same place. */
  restart(how: 'kill' | 'fast'): Promise<void>;
  stop(): Promise<void>;
}

const BIN = globSync('/usr/lib/postgresql/*/bin').toSorted().at(-1);

/** Why there is none, or undefined. */
export const postgresMissing =
  BIN !== undefined && existsSync(join(BIN, 'initdb'))
    ? undefined
    : 'no PostgreSQL below /usr/lib/postgresql (Debian: apt-get install postgresql)';

/** A program that comes with the server. */
export const pgTool = (name: string): string => join(BIN ?? '', name);

const run = promisify(execFile);

/** Who the server runs as: not root, which it refuses. */
interface Owner {
  readonly directory: string;
  readonly as: (command: string, args: readonly string[]) => Promise<unknown>;
}

/** Starts it; nothing is synced to the disk, since it lives as long as the tests. */
export async function startPostgres(): Promise<PostgresServer> {
  const { directory, as } = await newOwner();
  const data = join(directory, 'data');
  await run('cp', ['-a', '--reflink=auto', await cluster(), data]);
  const port = await start(directory, as);
  const address = (name: string): string => `postgres://stager@127.0.0.1:${port}/${name}`;
  let databases = 0;
  return {
    migrated: address(MIGRATED),
    createDatabase: async (template) => {
      databases += 1;
      const name = `test_${databases}`;
      await query(address('postgres'), `create database ${name}${template ? ` template ${template}` : ''}`);
      return address(name);
    },
    restart: async (how) => {
      if (how === 'fast') await as('pg_ctl', ['-D', data, '-m', 'fast', '-w', 'stop']);
      else await killed(Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0]));
      await start(directory, as, port);
    },
    stop: async () => {
      await as('pg_ctl', ['-D', data, '-m', 'immediate', '-w', 'stop']);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const MIGRATED = 'migrated';

/**
 * A cluster that is not running, with a migrated database: made once, and copied for each test file. It is kept in the
 * temporary directory under a name that changes with the migrations.
 */
async function cluster(): Promise<string> {
  const kept = join(tmpdir(), `stager-pg-${process.getuid?.() ?? 0}-${migrationsDigest()}`);
  if (existsSync(kept)) return kept;
  const { directory, as } = await newOwner();
  const data = join(directory, 'data');
  await as('initdb', [
    '-D',
    data,
    '-U',
    'stager',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C.UTF-8',
    '--no-sync',
  ]);
  const port = await start(directory, as);
  await query(`postgres://stager@127.0.0.1:${port}/postgres`, `create database ${MIGRATED}`);
  const database = await openDatabase({ url: `postgres://stager@127.0.0.1:${port}/${MIGRATED}` });
  await database.close();
  await as('pg_ctl', ['-D', data, '-m', 'fast', '-w', 'stop']);
  // Another file may have been faster: then this one is not needed.
  await rename(data, kept).catch(() => undefined);
  await rm(directory, { recursive: true, force: true });
  return kept;
}

async function newOwner(): Promise<Owner> {
  const bin = BIN ?? '';
  const directory = await mkdtemp(join(tmpdir(), 'stager-pg-'));
  const root = userInfo().uid === 0;
  if (root) {
    const ids = await postgresUser();
    await chown(directory, ids.uid, ids.gid);
  }
  const as: Owner['as'] = async (command, args) =>
    root
      ? await run('runuser', ['-u', 'postgres', '--', join(bin, command), ...args], { cwd: directory })
      : await run(join(bin, command), [...args], { cwd: directory });
  return { directory, as };
}

/** @returns the port. */
async function start(directory: string, as: Owner['as'], again?: number): Promise<number> {
  const port = again ?? (await freePort());
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -k ${directory} -c fsync=off -c max_connections=60`;
  const data = join(directory, 'data');
  await as('pg_ctl', ['-D', data, '-w', '-t', '120', '-l', join(directory, 'log'), '-o', settings, 'start']);
  return port;
}

/** Ends at once. Its children see that and end as well, before another server may start. */
async function killed(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  while (existsSync(`/proc/${pid}`)) await setTimeout(20);
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

async function postgresUser(): Promise<{ uid: number; gid: number }> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n');
  const [, , uid, gid] = lines.find((line) => line.startsWith('postgres:'))?.split(':') ?? [];
  if (uid === undefined || gid === undefined) throw new Error('no user postgres to run PostgreSQL as');
  return { uid: Number(uid), gid: Number(gid) };
}
