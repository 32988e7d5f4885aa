/** tar of the stack: a cache with one archive is stored and restored sooner than one with thousands of files. */
import { mkdir } from 'node:fs/promises';
import { run, succeeds } from './exec.ts';

/** The stack's own, whatever buildpacks put on PATH. */
const OF_STACK = { cwd: '/', env: { PATH: '/usr/local/bin:/usr/bin:/bin' } };

/** Whether the stack has it. */
export async function hasTar(): Promise<boolean> {
  return (await succeeds(['tar', '--version'], OF_STACK.env)) === true;
}

/** Packs what is in a directory; of it only the paths in the file `list`, one a line. */
export async function packTar(dir: string, tar: string, list?: string): Promise<void> {
  await run(['tar', '-cf', tar, '-C', dir, ...(list === undefined ? ['.'] : ['-T', list])], OF_STACK);
}

/** Unpacks into a directory, which is made; what else is there stays. */
export async function unpackTar(tar: string, dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  // A MiB at a time: with its 10 KiB tar takes a fifth longer for large files.
  await run(['tar', '-b', '2048', '-xpf', tar, '-C', dir], OF_STACK);
}
