import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Journal, type Place } from './support/journal.ts';
import { postgresMissing, startPostgres } from './support/postgres.ts';

const PROGRAM = fileURLToPath(new URL('support/killable-server.ts', import.meta.url));
/** Of each database. `npm run test:kill` makes them 100. */
const KILLS = Number(process.env['STAGER_TEST_KILLS'] ?? '6');
/** Milliseconds. */
const LATEST_KILL_MS = 1500;
/** Milliseconds, for all of them. Only for what hangs: a start can take long on a busy machine. */
const PATIENCE = { timeout: Math.max(600_000, KILLS * 60_000) };

// Both at once: most of the time each waits, for a start or for the claims of who was killed to run out.
describe.concurrent('a server that is killed in the middle of uploads, builds and deletions', () => {
  it('loses nothing that it acknowledged, over the embedded database', PATIENCE, async () => {
    await survives();
  });

  it.skipIf(postgresMissing !== undefined)(
    'loses nothing that it acknowledged, over PostgreSQL',
    PATIENCE,
    async () => {
      const postgres = await startPostgres();
      try {
        await survives(postgres.migrated);
      } finally {
        await postgres.stop();
      }
    },
  );
});

async function survives(database?: string): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'stager-kill-'));
  const journal = new Journal();
  try {
    for (let kill = 0; kill <= KILLS; kill += 1) {
      const { child, place } = await start(dir, database);
      try {
        await journal.check(place);
        if (kill === KILLS) break;
        const work = Promise.all([journal.work(place), journal.work(place)]);
        await Promise.race([work, setTimeout(Math.random() * LATEST_KILL_MS)]);
        child.kill('SIGKILL');
        await work;
      } finally {
        await ended(child);
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  process.stderr.write(`${KILLS} kills, ${journal.checked} apps looked at afterwards\n`);
  expect(journal.checked).toBeGreaterThan(0);
}

async function start(
  dir: string,
  database: string | undefined,
): Promise<{ child: ChildProcess; place: Place }> {
  const args = [
    '--disable-warning=ExperimentalWarning',
    PROGRAM,
    dir,
    ...(database === undefined ? [] : [database]),
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the server ended with ${String(code)}`))),
  ]);
  const place: Place = JSON.parse(String(line));
  return { child, place };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
