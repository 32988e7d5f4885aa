/** Names in directories that need not exist. */
import { readdir } from 'node:fs/promises';
import { errnoOf } from '../../words/errors.ts';

/** The names in `directory`, unsorted; none when it does not exist. */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
