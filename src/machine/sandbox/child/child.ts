/** The child process of a run: its output, its end and its deadlines, the same whatever contains the command. */
import { type ChildProcess, type SpawnOptions, type StdioOptions, spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { type ChildEnd, endOf } from '../kernel/child-end.ts';
import type { SandboxSpec } from '../port/sandbox.ts';
import type { Flow } from './flow.ts';
import { lendStreams } from './lent-streams.ts';
import type { OutputPipe } from './pipes.ts';

/** A program and how it is started. */
export interface ChildCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly options: Pick<SpawnOptions, 'cwd' | 'env'>;
  /** What it reads instead of /dev/null. */
  readonly stdin?: string | undefined;
  /** What the child gets as descriptor 3: a pipe to us, or a descriptor of ours. */
  readonly fourth?: 'pipe' | number | undefined;
}

/** The command has the caller's streams or terminal: there is no output to hand on. */
export function isJoined({ stdin = 'null' }: SandboxSpec): boolean {
  return stdin !== 'null';
}

/** Starts a child that has the caller's streams. */
export function startJoined({ program, args, options, fourth, stdin }: ChildCommand): ChildProcess {
  const [input, output, errors] = lendStreams(stdin);
  const stdio: StdioOptions = [input.fd, output.fd, errors.fd, fourth ?? 'ignore'];
  const child = spawn(program, args, { ...options, stdio });
  for (const { given } of [input, output, errors]) given();
  child.once('close', () => {
    for (const { back } of [input, output, errors]) back();
  });
  return child;
}

/**
 * Starts a child that writes to `pipes`, whose writers are the child's from then on. It has a session of its own:
 * Ctrl-C at the terminal is for us to pass on, not for the child to see.
 *
 * @returns the child, and what settles when all output was handed on.
 */
export function startPiped(
  { program, args, options, fourth, stdin }: ChildCommand,
  pipes: { readonly stdout: OutputPipe; readonly stderr: OutputPipe },
  flow: Flow,
): { readonly child: ChildProcess; readonly drained: Promise<unknown>; readonly ended: Promise<ChildEnd> } {
  const drained = flow.drain(pipes);
  const { stdout, stderr } = pipes;
  const input = stdin === undefined ? undefined : openSync(stdin, constants.O_RDONLY | constants.O_NONBLOCK);
  const stdio: StdioOptions = [input ?? 'ignore', stdout.writer, stderr.writer, fourth ?? 'ignore'];
  const child = spawn(program, args, { ...options, stdio, detached: true });
  const ended = endOf(child);
  if (input !== undefined) closeSync(input);
  pipes.stdout.closeWriter();
  pipes.stderr.closeWriter();
  return { child, drained, ended };
}

const MAX_TIMER_MS = 2 ** 31 - 1;

/** What is done to a run when it takes too long. */
export class Deadlines {
  readonly #timers: NodeJS.Timeout[] = [];

  /** Runs `what` after `delayMs`; longer delays than a timer can hold mean "never". */
  after(delayMs: number, what: () => void): void {
    if (delayMs <= MAX_TIMER_MS) this.#timers.push(setTimeout(what, delayMs));
  }

  /** Nothing is run after this. */
  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
