/**
 * Every kind of stored file × everything that can happen to one × the commands that use it:
 *
 *     npm run mutations                 all of them; some twenty minutes
 *     npm run mutations -- 'build cache'   those whose names have that, or one of several; --all says what each came to
 *     npm run mutations -- --sample 40 --seed today
 *     npm run mutations -- --part 2/8      the second eighth of them
 *
 * Prints what may not be, and counts. The status is 1 when there is any.
 */
import { parseArgs } from 'node:util';
import { casesOf, judge, nameOf, sampleOf } from './case.ts';
import { CLASSES } from './classes.ts';
import { PROGRAM_CLASSES } from './program-classes.ts';
import { makeRig, restore } from './rig.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    all: { type: 'boolean' },
    part: { type: 'string', default: '1/1' },
    sample: { type: 'string' },
    seed: { type: 'string' },
  },
});
const { place, expected, close } = await makeRig({ programs: true });
try {
  restore(place);
  const [part = 1, parts = 1] = flags.part.split('/').map(Number);
  const all = casesOf(place, [...CLASSES, ...PROGRAM_CLASSES])
    .filter((it) => positionals.length === 0 || positionals.some((wanted) => nameOf(it).includes(wanted)))
    .filter((_, at) => at % parts === part - 1);
  const cases = flags.sample === undefined ? all : sampleOf(all, Number(flags.sample), flags.seed ?? '');
  const counts = { right: 0, healed: 0, refused: 0, wrong: 0 };
  for (const it of cases) {
    const { outcome, said, wrong } = await judge(it, place, expected);
    counts[wrong === undefined ? outcome : 'wrong'] += 1;
    if (wrong !== undefined) process.stdout.write(`WRONG ${nameOf(it)}: ${wrong}\n      ${said}\n`);
    else if (flags.all === true) process.stdout.write(`${outcome} ${nameOf(it)}: ${said}\n`);
  }
  const kinds = new Set(cases.map((it) => it.kind.name)).size;
  process.stdout.write(`${cases.length} cases of ${kinds} kinds of files: ${JSON.stringify(counts)}\n`);
  process.exitCode = counts.wrong === 0 ? 0 : 1;
} finally {
  await close();
}
