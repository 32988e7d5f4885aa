/** The stored record of a stack, and the errors for a missing or damaged one. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { readCheckedJson } from '../../words/checked-json.ts';
import { errnoOf, StagerError } from '../../words/errors.ts';

/** What `names/<name>.json` holds. */
export const Record = z.object({
  name: z.string(),
  tree: z.uuid(),
  digest: z.string(),
  source: z.string(),
  kind: z.enum(['tar', 'directory', 'oci', 'docker']),
  description: z.string(),
  entries: z.int(),
  bytes: z.int(),
  addedAt: z.string(),
  /** Digest of what tree.seal says; stacks that an older stager added have none. */
  sealed: z.string().optional(),
});
export type Record = z.infer<typeof Record>;

/** Undefined when there is none. @throws StagerError STACK_INVALID when it can't be read. */
export async function readRecord(path: string, name: string): Promise<Record | undefined> {
  try {
    return Record.parse(readCheckedJson(await readFile(path, 'utf8')));
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw new StagerError('STACK_INVALID', `the record of the stack ${name} can't be read`, {
      next: `Remove ${path} and add the stack again.`,
      cause,
    });
  }
}

/** STACK_INVALID: its files changed and its source does not give them again. */
export function damagedStack(
  { name, source }: Record,
  { what, cause }: { readonly what: string; readonly cause: unknown },
): StagerError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StagerError(
    'STACK_INVALID',
    `the stack ${name} is damaged: ${what}; unpacking it again: ${why}`,
    {
      next: `Add it again with \`stager stack add ${name} FROM\`; it came from ${source}.`,
      details: { stack: name, source, what },
      cause,
    },
  );
}

/** STACK_NOT_FOUND with those that are known. */
export function stackNotFound(name: string, known: readonly string[]): StagerError {
  const list = known.length === 0 ? '' : `; known: ${known.join(', ')}`;
  return new StagerError('STACK_NOT_FOUND', `there is no stack ${JSON.stringify(name)}${list}`, {
    next: 'Name one of them with --stack, or add it with `stager stack add NAME FROM`.',
    details: { stack: name, known },
  });
}
