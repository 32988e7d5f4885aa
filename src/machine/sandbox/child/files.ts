/** Makes directories and files with exactly the mode asked for, whatever the caller's umask is. */
import { chmodSync, mkdirSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';

/** Makes one directory; it must not exist. A root has two dozen, and promises of them take longer than the rest of it. */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  mkdirSync(path, { mode });
  chmodSync(path, mode);
}

/** Rewrites a file. */
export async function writeExact(path: string, text: string, mode: number): Promise<void> {
  await writeFile(path, text, { mode });
  await chmod(path, mode);
}
