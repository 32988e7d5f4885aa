/** Checks the input of a request, with error messages worded like Cloud Controller's. */
import { z } from 'zod';
import { CfError, notFound } from './cf-errors.ts';

/** @throws CfError NotFound: a path that names nothing. */
export function checkParams<T>(schema: z.ZodType<T>, raw: unknown): T {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw notFound('Resource');
}

/** @throws CfError BadQueryParameter naming every parameter that is unknown or wrong. */
export function checkQuery<T>(schema: z.ZodType<T>, raw: unknown): T {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const sentences = parsed.error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? `Unknown query parameter(s): ${quoted(issue.keys)}.${validKeys(schema)}`
      : sentence(issue),
  );
  throw new CfError('BadQueryParameter', `The query parameter is invalid: ${sentences.join(' ')}`);
}

/** @throws CfError UnprocessableEntity, one sentence a field; MessageParseError when there is no body at all. */
export function checkBody<T>(schema: z.ZodType<T>, raw: unknown): T {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  if (raw === undefined || raw === null) {
    throw new CfError('MessageParseError', 'Request invalid due to parse error: invalid request body');
  }
  throw new CfError('UnprocessableEntity', sentencesOf(parsed.error, 20));
}

function sentencesOf(error: z.ZodError, most: number): readonly string[] {
  const all = error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? `Unknown field(s): ${quoted([...issue.path.map(String), ...issue.keys].slice(-issue.keys.length))}`
      : sentence(issue),
  );
  // Cloud Controller gives one entry whose sentences are joined; clients match on it.
  return [all.slice(0, most).join(', ')];
}

/** `name` must be a string → `Name must be a string`. A message of our own schemas may be whole already. */
function sentence(issue: z.core.$ZodIssue): string {
  const path = issue.path.map(String).join('.');
  if (path === '' || (issue.code === 'custom' && /^[A-Z]/.test(issue.message))) return capital(issue.message);
  return `${capital(path.replaceAll('_', ' '))} ${words(issue)}`;
}

function words(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${article(issue.expected)}`;
    case 'too_small':
      return issue.origin === 'string'
        ? `is too short (minimum is ${issue.minimum} ${Number(issue.minimum) === 1 ? 'character' : 'characters'})`
        : `must be greater than or equal to ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'string'
        ? `is too long (maximum is ${issue.maximum} characters)`
        : `must be less than or equal to ${issue.maximum}`;
    case 'invalid_value':
      return `must be one of: ${issue.values.map(String).join(', ')}`;
    case 'unrecognized_keys':
      return `has unknown field(s): ${quoted(issue.keys)}`;
    default:
      // Our own messages begin in lower case; those of the library are for programmers.
      return /^[a-z]/.test(issue.message) ? issue.message : 'is invalid';
  }
}

function article(type: string): string {
  if (type === 'record') return 'an object';
  if (type === 'int') return 'an integer';
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

function quoted(keys: readonly string[]): string {
  return keys
    .slice(0, 20)
    .map((key) => `'${key.slice(0, 100)}'`)
    .join(', ');
}

function validKeys(schema: z.ZodType): string {
  const object = schema instanceof z.ZodPipe ? schema.in : schema;
  if (!(object instanceof z.ZodObject)) return '';
  return ` Valid parameters are: ${quoted(Object.keys(object.shape))}`;
}
