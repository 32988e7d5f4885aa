/**
 * kill -9 of stager at random moments of `stage`, `run` and `shell`, as root and as an ordinary user; two seconds later
 * nothing of it may live, the next start removes what is left on disk, and a stager beside it notices nothing:
 *
 *     node bench/kill-nine.ts [--times 100] [--user 65534] [--skip-root]
 *
 * Prints what was left, and counts. The status is 1 when there was anything.
 */
import { chown, readdir, writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Cli, stageArgs } from '../test/support/cli.ts';
import { killNine, VICTIMS, victimArgs } from '../test/support/kill-nine.ts';

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '100' },
    user: { type: 'string', default: '65534' },
    'skip-root': { type: 'boolean', default: false },
  },
});
const PATIENCE_MS = 2_000;
const LIVES = 'echo begun; while [ ! -e $1/go ]; do sleep 0.1; done; echo went';

/** Kills at `times` moments in one data home. @returns what was left after each. */
async function round(times: number, uid: number | undefined): Promise<number> {
  await using cli = await Cli.make();
  const app = await cli.app('app');
  const as = uid === undefined ? {} : { uid };
  if (uid !== undefined) for (const path of [cli.dir, cli.home, app]) await chown(path, uid, uid);
  const first = await cli.run([...stageArgs(app), '--output', `${cli.dir}/droplet.tgz`], as);
  if (first.code !== 0) throw new Error(first.stderr);
  const living = cli.start(stageArgs(app, { SUPPLY: LIVES }), as);
  await living.says(/begun/);
  let faults = 0;
  for (let done = 0; done < times; done += 1) {
    const victim = VICTIMS[done % VICTIMS.length] ?? 'stage';
    const afterMs = Math.random() * first.durationMs * 1.2;
    const look = await killNine(cli, victimArgs(cli, victim, app), { ...as, afterMs });
    await setTimeout(PATIENCE_MS);
    const left = look();
    if (left.length > 0) faults += 1;
    for (const line of left) console.log(`${victim} after ${Math.round(afterMs)} ms left ${line}`);
  }
  for (const name of await readdir(`${cli.home}/workspaces`))
    await writeFile(`${cli.home}/workspaces/${name}/tmp/app/go`, '').catch(() => undefined);
  const { code } = await living.ended;
  if (code !== 0) console.log(`the stager beside it ended with ${code}`);
  const next = await cli.run(stageArgs(app), as);
  const rest = await cli.leftovers();
  for (const line of rest) console.log(`after the next start there was ${line}`);
  console.log(
    `as ${uid ?? 'root'}: ${times} kills, ${faults} left something; next start ${next.code}, the one beside ${code}`,
  );
  return faults + rest.length + (next.code === 0 && code === 0 ? 0 : 1);
}

const times = Number(values.times);
const asRoot = values['skip-root'] ? 0 : await round(times, undefined);
const faults = asRoot + (await round(times, Number(values.user)));
process.exitCode = faults === 0 ? 0 : 1;
