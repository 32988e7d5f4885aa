/** Lists the names in directories that may not exist. */
import { readdirSync } from 'node:fs';
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

/** For loops that are faster without a promise a directory: none when it can't be read, for whatever reason. */
export function namesNow(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
