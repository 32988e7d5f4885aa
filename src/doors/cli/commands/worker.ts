/** `stager worker`: runs builds of a server. */
import { mkdir, statfs } from 'node:fs/promises';
import { hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { openEndpointStager, type Stager } from '../../../compose.ts';
import { checkServedLayout } from '../../../machine/host/data-layout.ts';
import { ownVersion } from '../../../machine/host/own-package.ts';
import type { WorkerSettings } from '../../../service/builds/build-worker.ts';
import { runWorker } from '../../../service/builds/run-worker.ts';
import { listenForMetrics } from '../../../service/metrics/listen.ts';
import { Metrics } from '../../../service/metrics/metrics.ts';
import { openDatabase } from '../../../service/state/database.ts';
import { StagerError } from '../../../words/errors.ts';
import type { Context } from '../input/context.ts';
import { rootfsName, stagingMeans } from './serve-staging.ts';
import { openTelemetry } from './serve-telemetry.ts';

const MIB = 1024 * 1024;

/** Runs until SIGTERM or SIGINT, which is how it is meant to end: 0. */
export async function workerCommand(context: Context): Promise<number> {
  const { config, output, signal } = context;
  const { database: url, blobstore, grace, data = join(config.home, 'worker') } = config.settings;
  if (url === undefined || blobstore === undefined) {
    throw new StagerError('CONFIG_INVALID', 'a worker needs the database and the blobstore of its server', {
      next: 'Give --database postgres://… and --blobstore s3://…, the same as for stager serve.',
    });
  }
  await checkServedLayout(data);
  const metrics = new Metrics();
  await using stager = openEndpointStager(config, data, metrics.blob);
  const worker = await settingsOf(stager);
  const means = stagingMeans(stager, data);
  const { telemetry, report, close } = await openTelemetry(context, 'stager worker');
  const database = await openDatabase({ url });
  const { host, metricsPort: port } = config.settings;
  const listener = port === undefined ? undefined : await listenForMetrics(metrics, { host, port });
  try {
    const ready = (): void => {
      const { name, capacity } = worker;
      if (output.json)
        output.object({ type: 'working', name, ...capacity, ...(listener && { metrics: listener.url }) });
      else output.line(`stager worker ${name} takes builds: ${capacity.slots} at once`);
    };
    await runWorker({ database, means, report, telemetry, metrics, worker, graceMs: grace, signal, ready });
  } finally {
    listener?.close();
    await database.close();
    await close();
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
    throw new StagerError(
      'CONFIG_INVALID',
      `this machine has none of the stacks: ${wanted?.join(', ') ?? ''}`,
      {
        next: 'Add them with stager stack add, or name others: stager stack list.',
      },
    );
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
