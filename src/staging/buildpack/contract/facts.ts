/** What a buildpack's own files say about it. Hostile: read only inside its tree. */
import { join } from 'node:path';
import { readSmall } from '../../../machine/host/read-small.ts';
import { StagerError } from '../../../words/errors.ts';
import { readScalars } from './yaml.ts';

/** The text of `VERSION`, first line, when it is a short word. */
export async function buildpackVersion(root: string): Promise<string | undefined> {
  const file = await readSmall(join(root, 'VERSION'), root);
  const line = file.kind === 'text' ? (file.text.split('\n', 1)[0] ?? '').trim() : '';
  return /^[\x20-\x7e]{1,64}$/.test(line) ? line : undefined;
}

/**
 * The stack that `manifest.yml` names: the only key that Cloud Controller reads, from an exact entry at the root and
 * not above 1 MiB (buildpack-contracts.md 1.2). Without a manifest there is none.
 *
 * @throws StagerError BUILDPACK_MALFORMED for a manifest that is too large, or an invalid stack name.
 */
export async function manifestStack(root: string, key: string): Promise<string | undefined> {
  const file = await readSmall(join(root, 'manifest.yml'), root);
  if (file.kind === 'absent') return undefined;
  if (file.kind === 'unusable') throw unusable(key, file.reason);
  const stack = readScalars(file.text, ['stack'])['stack'];
  if (stack === undefined) return undefined;
  if (!/^[A-Za-z0-9._-]{1,250}$/.test(stack)) throw unusable(key, 'its stack is not a name');
  return stack;
}

function unusable(key: string, reason: string): StagerError {
  return new StagerError('BUILDPACK_MALFORMED', `manifest.yml of buildpack ${key} can't be used: ${reason}`, {
    next: 'Correct the manifest of the buildpack.',
    details: { buildpack: key, reason },
  });
}
