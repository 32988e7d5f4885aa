/**
 * PGlite: PostgreSQL compiled to WebAssembly, in this process, over a directory that one process at a time has.
 *
 * As it comes it never syncs (it is started with -F, and its file layer has no fsync), so that a power cut can lose
 * what was acknowledged, or worse. Here the missing call is put in and -F is left out: a commit returns when the
 * write-ahead log is on the disk, as with a server.
 */
import { fsyncSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { fromPglite } from 'pg-boss';
import { withClaim } from '../../machine/host/file-claim.ts';
import { systemClock } from '../../words/clock.ts';
import { isStagerError, StagerError } from '../../words/errors.ts';
import type { Driver } from './driver.ts';
import { databaseNotStarted, demandDatabaseFiles } from './embedded-files.ts';
import { OneAtATimeDialect } from './pglite-dialect.ts';
import { PGLITE_OPTIONS } from './pglite-options.ts';
import { LocalSignals } from './signals.ts';

/** Long enough for a server that was told to end and is about to. */
const CLAIM_WAIT_MS = 5000;

export async function openEmbedded(dir: string): Promise<Driver> {
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw databaseNotStarted(dir, error);
  });
  const unlock = await claimDirectory(dir);
  try {
    await demandDatabaseFiles(dir);
    const fs = new SyncedFiles(join(dir, 'pgdata'));
    const pglite = await PGlite.create({ ...PGLITE_OPTIONS, fs });
    return driverOver(pglite, unlock);
  } catch (error) {
    await unlock();
    throw databaseNotStarted(dir, error);
  }
}

/** For tests: gone at its end. `template` is the dump of another. */
export async function openInMemory(template?: Blob): Promise<Driver> {
  const pglite = await PGlite.create({
    ...PGLITE_OPTIONS,
    ...(template !== undefined && { loadDataDir: template }),
  });
  return driverOver(pglite, () => Promise.resolve());
}

function driverOver(pglite: PGlite, unlock: () => Promise<void>): Driver {
  return {
    kind: 'embedded',
    dialect: new OneAtATimeDialect(pglite),
    queueDb: fromPglite(pglite),
    signals: new LocalSignals(),
    run: async (text, values = []) => await pglite.query(text, [...values]),
    release: async () => {
      if (!pglite.closed) await pglite.close();
      await unlock();
    },
  };
}

/** The file layer of PGlite with the one call that it lacks. */
class SyncedFiles extends NodeFS {
  override async init(...args: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(...args);
    const preRun = [emscriptenOpts.preRun ?? []].flat();
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [...preRun, addSync] } };
  }
}

function addSync(module: object): void {
  Object.assign(streamOperations(module), {
    fsync: (stream: { nfd?: unknown }): number => {
      if (typeof stream.nfd === 'number') fsyncSync(stream.nfd);
      return 0;
    },
  });
}

/** `NODEFS.stream_ops`, which the types do not name. */
function streamOperations(module: object): object {
  const layer: unknown = Reflect.get(module, 'NODEFS');
  const operations: unknown = typeof layer === 'object' && layer !== null && Reflect.get(layer, 'stream_ops');
  if (typeof operations !== 'object' || operations === null) {
    throw new Error('this PGlite has no NODEFS to add fsync to');
  }
  return operations;
}

/** Holds the claim until the returned function is called. */
async function claimDirectory(dir: string): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const signal = new AbortController().signal;
  const options = { clock: systemClock, signal, waitMs: CLAIM_WAIT_MS };
  const claim = withClaim(join(dir, 'lock'), options, async () => {
    held.resolve();
    await done.promise;
  });
  claim.catch((error: unknown) => held.reject(inUse(dir, error)));
  await held.promise;
  return async () => {
    done.resolve();
    await claim;
  };
}

function inUse(dir: string, cause: unknown): unknown {
  // A claim that is a directory is nobody's: its own failure says so.
  if (!isStagerError(cause, 'CONFIG_INVALID') || cause.details['limitMs'] === undefined) return cause;
  return new StagerError('CONFIG_INVALID', `the database in ${dir} is in use by another process`, {
    next: 'End the other stager, give this one another --data, or use --database postgres://… for several.',
    details: { dir },
    cause,
  });
}
