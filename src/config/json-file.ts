/** Writes a JSON document for others to read: to a temporary file that is synced and renamed. */
import { demandOutputFile, outputError } from '../machine/host/output-file.ts';
import { replaceFile } from '../machine/host/replace-file.ts';
import { callersMode } from '../machine/host/umask.ts';

/** @throws StagerError CONFIG_INVALID when the file can't be written, HOST_DISK_FULL. */
export async function writeJsonFile(file: string, value: unknown): Promise<void> {
  await writeTextFile(file, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** @throws StagerError CONFIG_INVALID when the file can't be written, HOST_DISK_FULL. */
export async function writeTextFile(file: string, text: string): Promise<void> {
  await demandOutputFile(file);
  try {
    await replaceFile(file, text, { mode: callersMode(0o666), durable: true });
  } catch (error) {
    throw outputError(file, error);
  }
}
