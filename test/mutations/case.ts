/** One damaged file, one command: what came out, and whether that may be. */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { openBlobs } from '../../src/index.ts';
import { asStagerError } from '../../src/words/error-report.ts';
import { CLASSES, type FileClass, fileOf, MUTATIONS, type Mutation } from './classes.ts';
import { logIn, PROGRAMS } from './programs.ts';
import {
  COMMANDS,
  type Command,
  installAgain,
  noteNewestPackage,
  type Place,
  perform,
  restore,
  stagerOf,
} from './rig.ts';
import { ToldFailure } from './told.ts';

/** A user of no rights. */
const NOBODY = 65_534;
/** Longest time of a command; what takes longer has no end. */
const PATIENCE_MS = 240_000;

export interface Case {
  readonly kind: FileClass;
  readonly mutation: Mutation;
  readonly command: Command;
}

/** All of it, as if another user had installed it. */
function giveToNobody({ dir }: Place): void {
  const paths = ['home', 'elsewhere'].map((it) => join(dir, it)).filter((it) => existsSync(it));
  execFileSync('chown', ['-hR', `${NOBODY}:${NOBODY}`, ...paths]);
}

/** How a command ended. */
const attempt = z.union([
  z.object({ fingerprint: z.string(), warnings: z.array(z.string()) }),
  z.object({
    code: z.string(),
    message: z.string(),
    next: z.string().optional(),
    path: z.string().optional(),
  }),
]);
type Attempt = z.infer<typeof attempt>;

/** What a case came to; `wrong` says why it may not be. */
export interface Verdict {
  readonly outcome: 'right' | 'healed' | 'refused';
  readonly said: string;
  readonly wrong?: string;
}

/** Every case that makes sense for what is there. */
export function casesOf({ dir }: Place, classes: readonly FileClass[] = CLASSES): readonly Case[] {
  return classes.flatMap((kind) =>
    MUTATIONS.filter((it) => it.name !== kind.without && it.fits(fileOf(dir, kind), dir)).flatMap(
      (mutation) => kind.commands.map((command) => ({ kind, mutation, command })),
    ),
  );
}

/** `count` of them, which follow from `seed`. */
export function sampleOf(cases: readonly Case[], count: number, seed: string): readonly Case[] {
  const rank = (it: Case): string =>
    createHash('sha256')
      .update(`${seed} ${nameOf(it)}`)
      .digest('hex');
  return cases.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)).slice(0, count);
}

export const nameOf = ({ kind, mutation, command }: Case): string =>
  `${kind.name}: ${mutation.name}: ${command}`;

/** Damages a fresh copy, runs the command, then does what the message says, then stages twice. */
export async function judge(
  { kind, mutation, command }: Case,
  place: Place,
  expected: ReadonlyMap<Command, string>,
): Promise<Verdict> {
  restore(place);
  const path = fileOf(place.dir, kind);
  const asNobody = mutation.asOrdinaryUser === true && process.getuid?.() === 0;
  if (asNobody) giveToNobody(place);
  mutation.apply(path, place.dir);
  const doIt = (what: Command): Promise<Attempt> => (asNobody ? inChild(what, place) : here(what, place));

  const first = await doIt(command);
  const said =
    'code' in first ? `${first.code}: ${first.message} → ${first.next ?? ''}` : first.warnings.join('; ');
  const wrong = (why: string): Verdict => ({ outcome: 'refused', said, wrong: why });
  if ('code' in first) {
    if (first.code === 'UNEXPECTED') return wrong('a stack trace');
    if (first.next === undefined) return wrong('no next step');
    // What is not there has no path; it has a name.
    const isNamed = first.code.endsWith('_NOT_FOUND') || `${first.message} ${first.next}`.includes('/');
    if (!isNamed) return wrong('no path');
    // Root is the operator of a user of no rights: what to repair is not visible to him.
    if (asNobody) undo(path, place);
    const failure = await followAdvice(first, { path, place }).then(() => undefined, asStagerError);
    if (failure !== undefined) return wrong(`what it advises fails: ${failure.code}: ${failure.message}`);
    if (asNobody) giveToNobody(place);
  } else if (command !== 'verify' && first.fingerprint !== expected.get(command)) {
    return wrong(`another result: ${first.fingerprint.slice(0, 80)}`);
  }
  // What a person does next: as advised, or the same again. It works, and without a word about damage.
  if ('code' in first && command !== 'stage' && !isProgram(command)) await doIt('stage');
  const again = await doIt(command);
  if ('code' in again) return wrong(`afterwards it fails: ${again.code}: ${again.message}`);
  if (again.fingerprint !== expected.get(command)) return wrong('afterwards it gives something else');
  if (again.warnings.length > 0 && command !== 'verify')
    return wrong(`damage kept: ${again.warnings.join('; ')}`);
  if ('code' in first) return { outcome: 'refused', said };
  return { outcome: first.warnings.length > 0 ? 'healed' : 'right', said };
}

const isProgram = (command: Command): boolean => PROGRAMS.some((it) => it === command);

async function here(command: Command, place: Place): Promise<Attempt> {
  const late = Promise.withResolvers<Attempt>();
  const timer = setTimeout(() => late.resolve({ code: 'UNEXPECTED', message: 'no end' }), PATIENCE_MS);
  try {
    return await Promise.race([tried(command, place), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function tried(command: Command, place: Place): Promise<Attempt> {
  try {
    const { fingerprint, warnings } = await perform(command, place);
    return { fingerprint, warnings: [...warnings] };
  } catch (thrown) {
    return failureOf(thrown);
  }
}

function failureOf(thrown: unknown): Extract<Attempt, { code: string }> {
  if (thrown instanceof ToldFailure) return thrown.told;
  const { code, message, next, details } = asStagerError(thrown);
  const path = z.string().safeParse(details['path']).data;
  return { code, message, ...(next !== undefined && { next }), ...(path !== undefined && { path }) };
}

/** As a user of no rights, in a process of his. */
async function inChild(command: Command, place: Place): Promise<Attempt> {
  const self = fileURLToPath(import.meta.url);
  // Asynchronous, since the server of the rig answers from this process.
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', self, command, place.dir, place.url],
    { uid: NOBODY, gid: NOBODY, timeout: PATIENCE_MS, env: { PATH: process.env['PATH'], HOME: place.dir } },
  );
  const line = stdout.trim().split('\n').at(-1) ?? '';
  return attempt.parse(JSON.parse(line));
}

/** Does what the message asks a person for. */
async function followAdvice(
  { message, next = '', path: named }: Extract<Attempt, { code: string }>,
  { path, place }: { readonly path: string; readonly place: Place },
): Promise<void> {
  const advice = `${message} ${next}`;
  const stager = await stagerOf(place);
  const signal = new AbortController().signal;
  if (next.includes('stager package create')) {
    await perform('stage', place);
    await noteNewestPackage(place);
  } else if (next.includes('doctor --repair')) {
    await stager.repair();
    // What was moved aside is installed again.
    await installAgain(place);
  } else if (next.includes('blobs repair'))
    await (await openBlobs({ home: join(place.dir, 'home') })).repair();
  else if (next.includes('stager login')) {
    if (named !== undefined) rmSync(named, { recursive: true, force: true });
    await logIn(place);
  } else if (next.includes('Write the layout again')) await writeLayoutAgain(place);
  else if (next.includes('the whole data directory')) undo(join(place.dir, 'home/serve'), place);
  else if (next.includes('stack add'))
    await stager.stacks.add('mini', join(place.dir, 'mini.tar'), { signal });
  else if (/restore it|no buildpack/i.test(advice)) undo(path, place);
  else if (/\bremove (it|the file)|^Remove/i.test(next))
    rmSync(named ?? path, { recursive: true, force: true });
  else if (/restore|mount|access|healthy|permission/i.test(advice)) undo(path, place);
  if (/and add the stack again/.test(next))
    await stager.stacks.add('mini', join(place.dir, 'mini.tar'), { signal });
}

/** What is in the way of it is told, and removed. */
async function writeLayoutAgain(place: Place): Promise<void> {
  const { path, code } = await perform('image', place).then(() => ({ path: undefined, code: '' }), failureOf);
  if (path === undefined && code !== '') throw new Error(code);
  if (path === undefined) return;
  rmSync(path, { recursive: true, force: true });
  await perform('image', place);
}

/** What an operator who has a backup does. */
function undo(path: string, { dir }: Place): void {
  rmSync(path, { recursive: true, force: true });
  cpSync(join(dir, 'original', relative(dir, path)), path, {
    recursive: true,
    verbatimSymlinks: true,
    preserveTimestamps: true,
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , command, dir = '', url = ''] = process.argv;
  const wanted = z.enum([...COMMANDS, ...PROGRAMS]).parse(command);
  process.stdout.write(`${JSON.stringify(await tried(wanted, { dir, url }))}\n`);
  process.exit(0);
}
