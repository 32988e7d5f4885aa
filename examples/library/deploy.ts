/** Stages every app of a manifest and writes what was made: `node deploy.ts manifest.yml droplets.json` (Node 24). */
import { writeFile } from 'node:fs/promises';
import { isStagerError, manifestApps, type StagingRecord, stage } from 'stager';

const [manifest = 'manifest.yml', output = 'droplets.json'] = process.argv.slice(2);
const home = process.env['STAGER_CI_HOME'] ?? '.stager';
const made: Pick<StagingRecord, 'app' | 'droplet' | 'durationMs'>[] = [];

try {
  for (const app of await manifestApps({ manifest })) {
    // Leaving this block, however it is left, ends the staging.
    await using staging = stage({ ...app, home, sourceDateEpoch: 0, signal: AbortSignal.timeout(15 * 60_000) });
    for await (const event of staging.events) {
      if (event.type === 'output') console.log(event.text);
    }
    const { app: staged, droplet, durationMs } = await staging.result;
    made.push({ app: staged, droplet, durationMs });
  }
  await writeFile(output, JSON.stringify(made, undefined, 2));
} catch (error) {
  if (!isStagerError(error)) throw error;
  console.error(`${error.code}: ${error.message}. ${error.next ?? ''}`);
  process.exitCode = error.exit;
}
