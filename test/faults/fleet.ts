/** A server and three workers as processes, over a real PostgreSQL and a real S3 server, each with a way to be hurt. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Place } from '../doors/http/support/journal.ts';
import { type PostgresServer, startPostgres } from '../doors/http/support/postgres.ts';
import { DiskImage, whyNoDiskImage } from '../support/disk-image.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { startS3Server, useTestCredentials } from '../support/s3-server.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

const SERVER = fileURLToPath(new URL('../doors/http/support/killable-server.ts', import.meta.url));
const WORKER = fileURLToPath(new URL('worker-process.ts', import.meta.url));
const STAGER = fileURLToPath(new URL('../../bin/stager', import.meta.url));
const WORKERS = 3;
/** Of the file system that a real worker has for itself, so that it can be full. */
const DISK = { mebibytes: 1500, inodes: 200_000 } as const;

/** `real`: workers are `stager worker`, which run scripts in sandboxes; without, their stagings run none. */
export interface FleetOptions {
  readonly real?: boolean;
}

/** A process that is started again when it ends. */
export interface Member {
  readonly name: string;
  child: ChildProcess;
  /** What it said first. */
  said: string;
}

export interface Fleet {
  readonly postgres: PostgresServer;
  readonly database: string;
  readonly blobstore: string;
  readonly s3: FaultProxy;
  readonly server: Member;
  readonly workers: readonly Member[];
  /** Between each worker and the database. */
  readonly wires: readonly TcpProxy[];
  /** That of each worker, where it has one of its own. */
  readonly disks: readonly DiskImage[];
  /** The directory of each worker. */
  readonly homes: readonly string[];
  /** Where the server answers now. */
  place(): Place;
  kill(member: Member, signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  restart(member: Member, env?: Readonly<Record<string, string>>): Promise<void>;
  stop(): Promise<void>;
}

/** What does not start ends what did. */
export async function startFleet(options: FleetOptions = {}): Promise<Fleet> {
  const ends: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return await startParts(options, { stop, atEnd: (end) => ends.push(end) });
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Ending {
  readonly stop: () => Promise<void>;
  /** Called in the reverse order. */
  readonly atEnd: (end: () => unknown) => void;
}

async function startParts({ real = false }: FleetOptions, { stop, atEnd }: Ending): Promise<Fleet> {
  useTestCredentials();
  const dir = await mkdtemp(join(tmpdir(), 'stager-faults-'));
  atEnd(() => rm(dir, { recursive: true, force: true }));
  const postgres = await startPostgres();
  atEnd(() => postgres.stop());
  const s3 = await startS3Server();
  atEnd(() => s3.stop());
  await s3.makeBucket('blobs');
  const proxy = await startFaultProxy(s3.port);
  atEnd(() => proxy.stop());
  const database = await postgres.createDatabase('migrated');
  const blobstore = `s3://blobs/some/prefix?endpoint=${proxy.endpoint}`;
  const wires: TcpProxy[] = [];
  const disks: DiskImage[] = [];
  const homes: string[] = [];
  const argsOf = new Map<string, readonly [program: string, ...args: string[]]>();
  const launch = async (name: string, env: Readonly<Record<string, string>> = {}): Promise<Member> => {
    const [program = '', ...args] = argsOf.get(name) ?? [];
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    // Ended already, if it was replaced since.
    atEnd(() => endOf(child, 'SIGKILL'));
    const [said] = await Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`${name} ended: ${String(code)}`))),
    ]);
    return { name, child, said: String(said) };
  };
  argsOf.set('server', [...NODE, SERVER, await directory(dir, 'server'), database, blobstore]);
  const server = await launch('server');
  const workers: Member[] = [];
  for (let n = 1; n <= WORKERS; n += 1) {
    const wire = await startTcpProxy(Number(new URL(database).port));
    wires.push(wire);
    atEnd(() => wire.stop());
    const url = new URL(database);
    url.port = String(wire.port);
    const name = `worker-${n}`;
    const disk = real && whyNoDiskImage() === undefined ? DiskImage.make(DISK) : undefined;
    if (disk !== undefined) {
      disks.push(disk);
      atEnd(() => disk.remove());
    }
    const home = await directory(disk?.mount ?? dir, name);
    homes.push(home);
    argsOf.set(
      name,
      real
        ? [STAGER, ...realArgs(home, { url: url.href, blobstore, name })]
        : [...NODE, WORKER, home, url.href, blobstore, name],
    );
    workers.push(await launch(`worker-${n}`));
  }
  const kill: Fleet['kill'] = async ({ child }, signal) => await endOf(child, signal);
  return {
    postgres,
    database,
    blobstore,
    s3: proxy,
    server,
    workers,
    wires,
    disks,
    homes,
    place: () => JSON.parse(server.said),
    kill,
    restart: async (member, env) => {
      await kill(member, 'SIGKILL');
      Object.assign(member, await launch(member.name, env));
    },
    stop,
  };
}

const NODE = [process.execPath, '--disable-warning=ExperimentalWarning'] as const;

function realArgs(
  home: string,
  { url, blobstore, name }: { readonly url: string; readonly blobstore: string; readonly name: string },
): string[] {
  const places = ['--home', join(home, 'home'), '--data', join(home, 'data'), '--database', url];
  const sizes = ['--slots', '2', '--memory', '4G', '--disk', '100G', '--grace', '1s'];
  return ['worker', ...places, '--blobstore', blobstore, '--name', name, ...sizes];
}

async function directory(parent: string, name: string): Promise<string> {
  const path = join(parent, name);
  await mkdir(path, { mode: 0o755 });
  return path;
}

async function endOf(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}
