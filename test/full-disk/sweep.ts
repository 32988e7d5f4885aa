/** One command with so much space: what came out, and whether that may be. */
import { COMMANDS, type Command, type Rig } from './rig.ts';

/** What runs out, and how much of it is there. */
export interface Point {
  readonly command: Command;
  readonly kind: 'bytes' | 'inodes';
  readonly free: number;
}

/** What a point came to; `wrong` says why it may not be. */
export interface Verdict {
  readonly outcome: 'done' | 'refused';
  readonly said: string;
  readonly wrong?: string;
}

/** Space between two points of a full sweep. */
const STEP = { bytes: 100 * 1024, inodes: 5 } as const;
const FULL = ['HOST_DISK_FULL', 'BLOBSTORE_FULL'];

/** Points in a row at which a command works, after which it has all that it needs. */
const ENOUGH = 3;

/** What each command gives where there is space. */
export async function expectedOf(rig: Rig): Promise<ReadonlyMap<Command, string>> {
  const expected = new Map<Command, string>();
  for (const command of COMMANDS) {
    rig.restore();
    const outcome = await rig.perform(command);
    if ('code' in outcome) throw new Error(`${outcome.code}: ${outcome.message}`);
    expected.set(command, outcome.fingerprint);
  }
  return expected;
}

/** From nothing, every `every` steps, until there is enough. */
export async function* sweep(
  rig: Rig,
  { command, kind, every }: Omit<Point, 'free'> & { readonly every: number },
  expected: string,
): AsyncGenerator<Verdict & { readonly point: Point }, void, void> {
  for (let free = 0, done = 0; done < ENOUGH; free += every * STEP[kind]) {
    const point = { command, kind, free };
    const verdict = await judge(rig, point, expected);
    done = verdict.outcome === 'done' ? done + 1 : 0;
    yield { ...verdict, point };
  }
}

function prepare(rig: Rig, { kind, free }: Point): void {
  rig.restore();
  if (kind === 'bytes') rig.disk.fillTo(free);
  else rig.disk.fillInodesTo(free);
}

/** Leaves the space of the point, runs the command, then gives space and runs it again. */
export async function judge(rig: Rig, point: Point, fingerprint: string): Promise<Verdict> {
  prepare(rig, point);
  const first = await rig.perform(point.command);
  const said =
    'code' in first ? `${first.code}: ${first.message} → ${first.next}` : first.warnings.join('; ');
  const outcome = 'code' in first ? 'refused' : 'done';
  const wrong = (why: string): Verdict => ({ outcome, said, wrong: why });
  if ('code' in first) {
    if (!FULL.includes(first.code)) return wrong('it is not said that the disk is full');
    if (!first.message.includes(rig.home)) return wrong('the place is not named');
    if (first.next === '') return wrong('no next step');
  } else if (first.fingerprint !== fingerprint) return wrong(`another result: ${first.fingerprint}`);
  const left = await rig.leftBehind();
  if (left.length > 0) return wrong(`left behind: ${left.join(', ')}`);

  rig.disk.empty();
  // What was added can't be added again.
  if (outcome === 'done' && point.command === 'buildpack') return { outcome, said };
  const again = await rig.perform(point.command);
  if ('code' in again) return wrong(`with space it fails: ${again.code}: ${again.message}`);
  if (again.fingerprint !== fingerprint) return wrong(`with space it gives ${again.fingerprint}`);
  if (again.warnings.length > 0) return wrong(`with space: ${again.warnings.join('; ')}`);
  const still = await rig.leftBehind();
  if (still.length > 0) return wrong(`left behind at last: ${still.join(', ')}`);
  return { outcome, said };
}

export const nameOf = ({ command, kind, free }: Point): string => `${command} with ${free} ${kind}`;
