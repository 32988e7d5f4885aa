/** Reads files that scripts left. Hostile: they can be links out of the workspace, pipes, or huge. */
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { decodeText } from './decode-text.ts';

/** Bytes of the largest file that is read; nothing of the contract is near it. */
export const MAX_SMALL_BYTES = 1024 * 1024;

/** What was found. `unusable` files are there but can't be used; the reason is for people. */
export type SmallFile =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unusable'; readonly reason: string };

/**
 * Reads a regular file below `root`; a link is followed as long as it stays below.
 *
 * Opening does not block on pipes, and the size is bounded.
 */
export async function readSmall(path: string, root: string): Promise<SmallFile> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) return { kind: 'absent' };
  if (!real.startsWith((await realpath(root)) + sep)) {
    return { kind: 'unusable', reason: 'a link that leads out of the workspace' };
  }
  const file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch(
    () => undefined,
  );
  if (file === undefined) return { kind: 'unusable', reason: 'it cannot be opened' };
  try {
    const facts = await file.stat();
    if (!facts.isFile()) return { kind: 'unusable', reason: 'not a regular file' };
    if (facts.size > MAX_SMALL_BYTES) {
      return { kind: 'unusable', reason: `${facts.size} bytes, the limit is ${MAX_SMALL_BYTES}` };
    }
    return { kind: 'text', text: decodeText(await file.readFile()) };
  } finally {
    await file.close();
  }
}
