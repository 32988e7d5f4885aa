/** Writes a document for others to read: aside, synced, renamed. */
import { errnoOf, StagerError } from '../errors.ts';
import { replaceFile } from '../host/replace-file.ts';

/** @throws StagerError CONFIG_INVALID when the file can't be written. */
export async function writeJsonFile(file: string, value: unknown): Promise<void> {
  await writeTextFile(file, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** @throws StagerError CONFIG_INVALID when the file can't be written. */
export async function writeTextFile(file: string, text: string): Promise<void> {
  try {
    await replaceFile(file, text, { durable: true });
  } catch (cause) {
    throw new StagerError('CONFIG_INVALID', `can't write ${file} (${errnoOf(cause) ?? 'unknown error'})`, {
      next: 'Choose a file in a directory that exists and can be written.',
      details: { file },
      cause,
    });
  }
}
