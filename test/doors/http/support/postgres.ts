/** A PostgreSQL server of Debian's for one test file: a cluster in a temporary directory, as `postgres` when we are root. */
import { execFile } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from '../../../support/free-port.ts';

/** A running server. */
export interface PostgresServer {
  /** The address of a new, empty database; `template` names one to copy. */
  createDatabase(template?: string): Promise<string>;
  stop(): Promise<void>;
}

const BIN = globSync('/usr/lib/postgresql/*/bin').toSorted().at(-1);

/** Why there is none, or undefined. */
export const postgresMissing =
  BIN !== undefined && existsSync(join(BIN, 'initdb'))
    ? undefined
    : 'no PostgreSQL below /usr/lib/postgresql (Debian: apt-get install postgresql)';

const run = promisify(execFile);

/** Starts it; nothing is synced to the disk, since it lives as long as the tests. */
export async function startPostgres(): Promise<PostgresServer> {
  const bin = BIN ?? '';
  const directory = await mkdtemp(join(tmpdir(), 'stager-pg-'));
  const root = userInfo().uid === 0;
  if (root) {
    const ids = await postgresUser();
    await chown(directory, ids.uid, ids.gid);
  }
  const as = (command: string, args: readonly string[]) =>
    root
      ? run('runuser', ['-u', 'postgres', '--', join(bin, command), ...args], { cwd: directory })
      : run(join(bin, command), [...args], { cwd: directory });
  const data = join(directory, 'data');
  const port = await freePort();
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
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -k ${directory} -c fsync=off -c max_connections=60`;
  await as('pg_ctl', ['-D', data, '-w', '-t', '120', '-l', join(directory, 'log'), '-o', settings, 'start']);
  const address = (name: string): string => `postgres://stager@127.0.0.1:${port}/${name}`;
  let databases = 0;
  return {
    createDatabase: async (template) => {
      databases += 1;
      const name = `test_${databases}`;
      await query(address('postgres'), `create database ${name}${template ? ` template ${template}` : ''}`);
      return address(name);
    },
    stop: async () => {
      await as('pg_ctl', ['-D', data, '-m', 'immediate', '-w', 'stop']);
      await rm(directory, { recursive: true, force: true });
    },
  };
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
