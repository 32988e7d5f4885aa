/** Makes directories and files with exactly the mode asked for, whatever the caller's umask is. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';

/** Makes one directory; it must not exist. */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  await mkdir(path, { mode });
  await chmod(path, mode);
}

/** Rewrites a file. */
export async function writeExact(path: string, text: string, mode: number): Promise<void> {
  await writeFile(path, text, { mode });
  await chmod(path, mode);
}
