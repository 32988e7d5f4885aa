/** The file next to a fixture that says what a buildpack gets and what it has to produce (docs/workshop.md). */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { parseHostileYaml } from '../machine/host/hostile-yaml.ts';
import { CODES, errnoOf, StagerError } from '../words/errors.ts';
import { SCRIPT_PHASES } from './observed-phases.ts';

const scalar = z.union([z.string(), z.number().transform(String), z.boolean().transform(String)], {
  error: 'must be a string',
});
const list = <T extends z.ZodType>(of: T) => z.array(of, { error: 'must be a list' });

/** Exactly this text, or text that contains something or matches a regular expression. */
const matcher = z.union(
  [
    scalar,
    z.strictObject({ contains: scalar }),
    z.strictObject({ matches: z.string().refine(isPattern, { error: 'is not a regular expression' }) }),
  ],
  { error: 'must be a string, { contains: text } or { matches: regular expression }' },
);

const files = z.strictObject({
  present: list(z.string()).optional(),
  absent: list(z.string()).optional(),
  content: z.record(z.string(), matcher).optional(),
});

const exit = z.partialRecord(z.enum(SCRIPT_PHASES), z.int().min(0).max(255));

const round = z.strictObject({
  exit: exit.optional(),
  files: files.optional(),
  log: list(matcher).optional(),
  not_log: list(matcher).optional(),
});

const schema = round.extend({
  env: z.record(z.string(), scalar).optional(),
  services: z.record(z.string(), z.unknown()).optional(),
  detect: z
    .union([z.boolean(), z.string()], { error: 'must be true, false or the line that it prints' })
    .optional(),
  error: z.enum(Object.keys(CODES), { error: 'is not a code of docs/errors.md' }).optional(),
  launch_env: z.record(z.string(), matcher).optional(),
  processes: z.record(z.string(), matcher).optional(),
  sidecars: z.record(z.string(), matcher).optional(),
  again: round.optional(),
});

export type ValueMatcher = z.output<typeof matcher>;
export type RoundExpectations = z.output<typeof round>;
/** The whole file. Paths are `app/…`, `deps/…`, `cache/…`, `profile.d/…`. */
export type Expectations = z.output<typeof schema>;

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'm');
    return true;
  } catch {
    return false;
  }
}

/** An expectations file that was read; `text` is there so that comments survive an update. */
export interface ExpectationsFile {
  readonly text: string;
  readonly expectations: Expectations;
}

/**
 * Reads the file; undefined when there is none.
 *
 * @throws StagerError BUILDPACK_TEST_FAILED naming every key that is wrong.
 */
export async function readExpectations(path: string): Promise<ExpectationsFile | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw invalid(path, [`it can't be read (${errnoOf(error) ?? 'unknown error'})`]);
  });
  if (text === undefined) return undefined;
  const yaml = parseHostileYaml(text, { uniqueKeys: true });
  if (!yaml.ok) throw invalid(path, [yaml.reason]);
  const parsed = schema.safeParse(yaml.value ?? {});
  if (parsed.success) return { text, expectations: parsed.data };
  throw invalid(
    path,
    parsed.error.issues.map((issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`),
  );
}

function invalid(path: string, problems: readonly string[]): StagerError {
  return new StagerError('BUILDPACK_TEST_FAILED', `${path} can't be used: ${problems.join('; ')}`, {
    next: 'The keys of an expectations file are listed in docs/workshop.md.',
    details: { path, problems },
  });
}

/** Whether `text` is what the matcher asks for. `lines`: plain text is enough as a part of a line. */
export function fits(wanted: ValueMatcher, text: string, how: 'whole' | 'part' = 'whole'): boolean {
  if (typeof wanted === 'string') return how === 'part' ? text.includes(wanted) : text === wanted;
  if ('contains' in wanted) return text.includes(wanted.contains);
  return new RegExp(wanted.matches, 'm').test(text);
}

/** The matcher in words. */
export function describeMatcher(wanted: ValueMatcher): string {
  if (typeof wanted === 'string') return JSON.stringify(wanted);
  return 'contains' in wanted
    ? `text with ${JSON.stringify(wanted.contains)}`
    : `text like /${wanted.matches}/`;
}
