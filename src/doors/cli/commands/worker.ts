/** `stager worker`: takes builds of a server. */
import { mkdir, statfs } from 'node:fs/promises';
import { hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { openEndpointStager, type Stager } from '../../../compose.ts';
import { ownVersion } from '../../../machine/host/own-package.ts';
import type { WorkerSettings } from '../../../service/builds/build-worker.ts';
import { runWorker } from '../../../service/builds/run-worker.ts';
import { openDatabase } from '../../../service/state/database.ts';
import { StagerError } from '../../../words/errors.ts';
import { bugText, type ReportBug } from '../../../words/report-bug.ts';
import type { Context } from '../input/context.ts';
import { rootfsName, stagingMeans } from './serve-staging.ts';

const MIB = 1024 * 1024;

/** Runs until SIGTERM or SIGINT, which is how it is meant to end: 0. */
export async function workerCommand({ config, output, signal }: Context): Promise<number> {
  const { database: url, blobstore, grace, data = join(config.home, 'worker') } = config.settings;
  if (url === undefined || blobstore === undefined) {
    throw new StagerError('CONFIG_INVALID', 'a worker needs the database and the blobstore of its server', {
      next: 'Give --database postgres://… and --blobstore s3://…, the same as to stager serve.',
    });
  }
  await using stager = openEndpointStager(config, data);
  const worker = await settingsOf(stager);
  const means = stagingMeans(stager, data);
  const database = await openDatabase({ url });
  try {
    const report: ReportBug = (during, error) => output.note(bugText(during, error));
    const ready = (): void => {
      const { name, capacity } = worker;
      if (output.json) output.object({ type: 'working', name, ...capacity });
      else output.line(`stager worker ${name} takes builds: ${capacity.slots} at once`);
    };
    await runWorker({ database, means, report, worker, graceMs: grace, signal, ready });
  } finally {
    await database.close();
  }
  return 0;
}

async function settingsOf({ config, stacks }: Stager): Promise<WorkerSettings> {
  const { settings, given, home } = config;
  const known = await stacks.list();
  const wanted = settings.stacks?.split(',').map((name) => name.trim());
  const names = known
    .flatMap(({ name }) => [name, rootfsName(name)])
    .filter((name) => wanted === undefined || wanted.includes(name));
  if (names.length === 0) {
    throw new StagerError('CONFIG_INVALID', `none of the stacks is here: ${wanted?.join(', ') ?? ''}`, {
      next: 'Add them with stager stack add, or name others: stager stack list.',
    });
  }
  return {
    name: settings.workerName ?? hostname(),
    version: ownVersion(),
    capacity: {
      slots: settings.slots,
      memoryMb: given.has('memory') ? settings.memory : Math.floor(totalmem() / MIB),
      diskMb: given.has('disk') ? settings.disk : await freeMb(home),
      stacks: [...new Set(names)],
    },
  };
}

async function freeMb(path: string): Promise<number> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const { bavail, bsize } = await statfs(path);
  return Math.floor((bavail * bsize) / MIB);
}
