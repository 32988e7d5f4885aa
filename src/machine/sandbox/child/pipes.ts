/**
 * Pipes for a command's output.
 *
 * Node gives children socket pairs, and what is opened through /dev/stdout or /dev/stderr, as scripts do, can't be
 * a socket. So two FIFOs of the vcap user are made, opened and forgotten.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { chown, mkdir, rm } from 'node:fs/promises';
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

/** The pipes of one command. */
export interface OutputPipes {
  readonly stdout: OutputPipe;
  readonly stderr: OutputPipe;
}

/**
 * @param directory private directory for the FIFOs
 * @param owner host ids that the command has
 */
export async function outputPipes(directory: string, owner: Owner): Promise<OutputPipes> {
  const [pair] = await makePairs(directory, ['']);
  if (pair === undefined) throw new Error('unreachable: one name gives one pair');
  return await openPair(pair, owner);
}

/** How many pairs one start of mkfifo makes: it takes longer than making them, and than some commands. */
const MADE_AT_ONCE = 4;

/** Pipes for many commands, made ahead in a private directory, which is made when the first is taken. */
export class PipeStock {
  readonly #directory: string;
  readonly #pairs: Pair[] = [];
  #made = 0;
  #making: Promise<void> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @param owner host ids that the command has */
  async take(owner: Owner): Promise<OutputPipes> {
    let pair = this.#pairs.pop();
    while (pair === undefined) {
      this.#making ??= this.#make();
      await this.#making;
      pair = this.#pairs.pop();
    }
    const pipes = await openPair(pair, owner);
    for (const path of pair) await rm(path, { force: true });
    return pipes;
  }

  async #make(): Promise<void> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const names = Array.from({ length: MADE_AT_ONCE }, () => `${++this.#made}.`);
      this.#pairs.push(...(await makePairs(this.#directory, names)));
    } finally {
      this.#making = undefined;
    }
  }
}

/** Paths of the FIFOs for stdout and stderr. */
type Pair = readonly [string, string];

async function makePairs(directory: string, names: readonly string[]): Promise<readonly Pair[]> {
  const pairs = names.map(
    (name): Pair => [join(directory, `${name}stdout`), join(directory, `${name}stderr`)],
  );
  await execa('mkfifo', ['-m', '600', ...pairs.flat()], { stdin: 'ignore' });
  return pairs;
}

async function openPair([out, error]: Pair, owner: Owner): Promise<OutputPipes> {
  const [stdout, stderr] = await Promise.all([openPipe(out, owner), openPipe(error, owner)]);
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
