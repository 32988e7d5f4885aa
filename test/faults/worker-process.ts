/** `node worker-process.ts DIR postgres://… BLOBSTORE NAME`: a worker, with a staging that runs no script. Says `ready`. */
import { runWorker } from '../../src/service/builds/run-worker.ts';
import { openDatabase } from '../../src/service/state/database.ts';
import { bugText } from '../../src/words/report-bug.ts';
import { fakeMeans } from '../doors/http/support/staging.ts';

const [, , dir = '', url = '', blobstore = '', name = ''] = process.argv;
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const database = await openDatabase({ url });
await runWorker({
  database,
  means: await fakeMeans(dir, blobstore),
  report: (during, error) => void process.stderr.write(`${bugText(during, error)}\n`),
  worker: { name, version: '1', capacity: { slots: 2, memoryMb: 4096 } },
  graceMs: 1000,
  signal: stop.signal,
  ready: () => process.stdout.write('ready\n'),
});
await database.close();
