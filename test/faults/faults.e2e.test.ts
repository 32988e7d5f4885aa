import { readFile } from 'node:fs/promises';
import { expect, it, vi } from 'vitest';
import { postgresMissing } from '../doors/http/support/postgres.ts';
import { notRun } from '../doors/http/support/served.ts';
import { startFleet } from './fleet.ts';
import { runFaults } from './run.ts';

/** Processes that this one started. */
async function children(): Promise<readonly string[]> {
  const pids = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8');
  return pids.split(' ').filter((pid) => pid !== '');
}

/** A sample; `npm run faults -- 200` does more of them, longer. */
const SAMPLE = [
  'kill -9 of a worker',
  'kill -9 of PostgreSQL',
  'S3 answers 503',
  'a worker cut from the database',
  'SIGTERM to a worker',
  'kill -9 of the server',
];

if (postgresMissing !== undefined) notRun('three workers and a server that are hurt', postgresMissing);
else {
  it('three workers and a server that are hurt lose no build, and end none twice', async () => {
    const report = await runFaults({
      moments: SAMPLE.length,
      only: SAMPLE,
      lasting: { shortMs: 1500, longMs: 1500 },
      say: () => undefined,
    });
    process.stderr.write(`faults: ${JSON.stringify(report)}\n`);
    expect(report.broken).toEqual([]);
    expect(report.staged).toBeGreaterThan(0);
  });

  it('a server whose worker does not start is not left behind', async () => {
    const before = await children();
    vi.stubEnv('STAGER_STACKS', 'no-such-stack');
    try {
      await expect(startFleet({ real: true })).rejects.toThrow(/worker-1 ended/);
    } finally {
      vi.unstubAllEnvs();
    }
    expect(await children()).toEqual(before);
  });
}
