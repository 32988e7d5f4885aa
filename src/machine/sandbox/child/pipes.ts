/**
 * Pipes for a command's output.
 *
 * Node gives children socket pairs, and what is opened through /dev/stdout or /dev/stderr, as scripts do, can't be
 * a socket. So two FIFOs of the vcap user are made, opened and forgotten.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { chown, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Owner } from '../../host/owner.ts';

/**
 * A null device of one's own below `directory`: crun gives the one that it is started with to vcap, who would own the
 * machine's. Where devices are not allowed it is a pipe that nobody writes to.
 */
export async function ownNull(directory: string): Promise<string> {
  const path = join(directory, 'null');
  const made = await execa('mknod', ['-m', '666', path, 'c', '1', '3'], { reject: false, stdin: 'ignore' });
  if (!made.failed && opens(path)) return path;
  await rm(path, { force: true });
  await execa('mkfifo', ['-m', '666', path], { stdin: 'ignore' });
  return path;
}

function opens(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDWR));
    return true;
  } catch {
    return false;
  }
}

/** One stream of a command: we read, the child writes to `writer`. */
export interface OutputPipe {
  readonly reader: Socket;
  /** Descriptor for the child. */
  readonly writer: number;
  /** Closes our own copy of the writer; call it when the child has been started. */
  closeWriter(): void;
}

/**
 * @param directory private directory for the FIFOs
 * @param owner host ids that the command has
 */
export async function outputPipes(
  directory: string,
  owner: Owner,
): Promise<{ readonly stdout: OutputPipe; readonly stderr: OutputPipe }> {
  const paths = [join(directory, 'stdout'), join(directory, 'stderr')] as const;
  await execa('mkfifo', ['-m', '600', ...paths], { stdin: 'ignore' });
  const [stdout, stderr] = await Promise.all(paths.map((path) => openPipe(path, owner)));
  if (stdout === undefined || stderr === undefined) throw new Error('unreachable: two paths give two pipes');
  return { stdout, stderr };
}

async function openPipe(path: string, owner: Owner): Promise<OutputPipe> {
  await chown(path, owner.uid, owner.gid);
  // The reader first and without waiting, otherwise each end would wait for the other.
  const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  const reader = new Socket({ fd: reading, readable: true, writable: false });
  return { reader, writer, closeWriter: () => closeSync(writer) };
}
