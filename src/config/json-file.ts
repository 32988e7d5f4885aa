/** Writes a document for others to read: aside, synced, renamed. */
import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, StagerError } from '../errors.ts';

/** @throws StagerError CONFIG_INVALID when the file can't be written. */
export async function writeJsonFile(file: string, value: unknown): Promise<void> {
  await writeTextFile(file, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** @throws StagerError CONFIG_INVALID when the file can't be written. */
export async function writeTextFile(file: string, text: string): Promise<void> {
  const aside = join(dirname(file), `.${basename(file)}.${randomUUID()}`);
  try {
    {
      await using handle = await open(aside, 'wx', 0o644);
      await handle.writeFile(text);
      await handle.sync();
    }
    await rename(aside, file);
  } catch (cause) {
    await rm(aside, { force: true });
    throw new StagerError('CONFIG_INVALID', `can't write ${file} (${errnoOf(cause) ?? 'unknown error'})`, {
      next: 'Choose a file in a directory that exists and can be written.',
      details: { file },
      cause,
    });
  }
}
