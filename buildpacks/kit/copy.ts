/** Copies of files and whole directories. */
import { lstat, mkdir } from 'node:fs/promises';
import { run } from './exec.ts';

/** cp of the stack: a runtime has thousands of files, for which it takes a fifth of the time that Node does. */
export async function copy(from: string, to: string): Promise<void> {
  const isDirectory = (await lstat(from)).isDirectory();
  if (isDirectory) await mkdir(to, { recursive: true });
  const source = isDirectory ? `${from}/.` : from;
  await run(['cp', '-a', source, to], { cwd: '/', env: { PATH: '/usr/local/bin:/usr/bin:/bin' } });
}
