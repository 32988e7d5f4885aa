/**
 * Commands on a small file system (a loop image; needs root) of which nothing is left, 100 KiB, 200 KiB, and so on to
 * what the command needs; and the same with inodes, by fives:
 *
 *     npm run full-disk                     all of it; some ten minutes
 *     npm run full-disk -- stage --every 5  one command, every fifth step; --all says what each came to
 *
 * Prints what may not be, and counts. The status is 1 when there is any.
 */
import { parseArgs } from 'node:util';
import { whyNoDiskImage } from '../support/disk-image.ts';
import { COMMANDS, Rig } from './rig.ts';
import { expectedOf, nameOf, sweep } from './sweep.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean' }, every: { type: 'string', default: '1' } },
});
const why = whyNoDiskImage();
if (why !== undefined) throw new Error(`the sweep of full disks can't run here: ${why}`);
const [wanted = ''] = positionals;
const rig = await Rig.make();
try {
  const expected = await expectedOf(rig);
  const counts = { done: 0, refused: 0, wrong: 0 };
  for (const command of COMMANDS) {
    for (const kind of ['bytes', 'inodes'] as const) {
      if (!`${command} ${kind}`.includes(wanted)) continue;
      const line = { command, kind, every: Number(flags.every) };
      let last = '';
      for await (const { point, outcome, said, wrong } of sweep(rig, line, expected.get(command) ?? '')) {
        last = nameOf(point);
        counts[wrong === undefined ? outcome : 'wrong'] += 1;
        if (wrong !== undefined) process.stdout.write(`WRONG ${last}: ${wrong}\n      ${said}\n`);
        else if (flags.all === true) process.stdout.write(`${outcome} ${last}: ${said}\n`);
      }
      process.stdout.write(`up to ${last}: ${JSON.stringify(counts)}\n`);
    }
  }
  process.exitCode = counts.wrong === 0 ? 0 : 1;
} finally {
  await rig.close();
}
