/** What is wrong with a file that a person wrote, in sentences: a validator's own words help nobody. */
import type { z } from 'zod';

/** What a check can find; zod's issues, and those inside of a union. */
type Issue = z.core.$ZodIssue;

const KINDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
};
const LONGEST = 60;

/**
 * One sentence for each thing that is wrong with `value`, the content of `file`:
 * `engines.node has to be a string; it is the number 20. Write "20".`
 */
export function wrongShapes(error: z.ZodError, value: unknown, file: string): string[] {
  return [...new Set(error.issues.map((issue) => sentence(issue, [], { value, file })))];
}

interface Subject {
  readonly value: unknown;
  readonly file: string;
}

function sentence(issue: Issue, above: readonly PropertyKey[], subject: Subject): string {
  const path = [...above, ...issue.path];
  const where = path.length === 0 ? subject.file : path.map(String).join('.');
  const found = valueAt(subject.value, path);
  if (issue.code === 'invalid_type' && isOwnWording(issue)) return `${where} ${issue.message}`;
  if (issue.code === 'invalid_type') return wrongKind(where, [issue.expected], found);
  if (issue.code === 'invalid_union') {
    // The branch that failed deeper down is the one that was meant.
    const deeper = issue.errors.find((branch) => branch.every((inner) => inner.path.length > 0));
    if (deeper?.[0] !== undefined) return sentence(deeper[0], path, subject);
    // So is the one of the right kind, whose own rule is broken.
    const ruled = issue.errors.flat().find((inner) => inner.code !== 'invalid_type' && isOwnWording(inner));
    if (ruled !== undefined && typeof found === 'string') return sentence(ruled, path, subject);
    const kinds = issue.errors.flatMap((branch) =>
      branch.flatMap((inner) => (inner.code === 'invalid_type' ? [inner.expected] : [])),
    );
    if (kinds.length > 0) return wrongKind(where, kinds, found);
  }
  if (issue.code === 'invalid_key') return `${where}: ${issue.issues[0]?.message ?? 'the name is not valid'}`;
  return `${where}: ${issue.message}`;
}

/** Whether the schema says in words of its own what is wrong. */
function isOwnWording({ message }: { readonly message: string }): boolean {
  return !/^(Invalid|Too|Expected|Unrecognized)\b/.test(message);
}

function wrongKind(where: string, kinds: readonly string[], found: unknown): string {
  const wanted = [...new Set(kinds.filter((kind) => kind !== 'null').map((kind) => KINDS[kind] ?? kind))];
  const quoted =
    kinds.includes('string') && (typeof found === 'number' || typeof found === 'boolean')
      ? `. Write "${found}"`
      : '';
  return `${where} has to be ${wanted.join(' or ')}; it is ${kindOfValue(found)}${quoted}`;
}

/** `a list`, `the number 20`, `the string "x"`. */
function kindOfValue(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  const shown = JSON.stringify(typeof value === 'bigint' ? Number(value) : value);
  const short = shown.length > LONGEST ? `${shown.slice(0, LONGEST)}…` : shown;
  return typeof value === 'boolean'
    ? short
    : `the ${typeof value === 'bigint' ? 'number' : typeof value} ${short}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = new Map<PropertyKey, unknown>(Object.entries(here)).get(String(step));
  }
  return here;
}
