/** Has a starter (starter.ts) make the calls of a list that ends without a command. */
import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { endOf } from './child-end.ts';
import type { StartFailure, StartList } from './start-list.ts';
import { type StarterArch, starterProgram } from './starter.ts';

/** For people: `becoming user 30000: errno 1`. */
export const describeFailure = ({ what, errno }: StartFailure): string =>
  `${what}: ${ERRNO_NAMES.get(errno) ?? `errno ${errno}`}`;

const ERRNO_NAMES = new Map([
  [1, 'operation not permitted'],
  [2, 'no such file or directory'],
  [7, 'argument list too long'],
  [8, 'exec format error'],
  [11, 'too many processes of this user'],
  [13, 'permission denied'],
  [20, 'not a directory'],
  [22, 'invalid argument'],
  [38, 'not known to this kernel'],
  [95, 'turned off in this kernel'],
]);

/** Writes the starter. A shell does, since a descriptor of ours that is open for writing could be in somebody's fork at the exec. */
export async function writeProgram(path: string, arch: StarterArch): Promise<void> {
  await execa('/bin/sh', ['-c', 'umask 022; cat >"$0" && chmod 755 "$0"', path], {
    input: starterProgram(arch),
    env: { PATH: '/usr/bin:/bin' },
    extendEnv: false,
  });
}

/** Runs a list that ends without a command. Returns what failed, or undefined. */
export async function attempt(
  starter: string,
  file: string,
  list: StartList,
): Promise<StartFailure | undefined> {
  await writeFile(file, list.bytes(), { mode: 0o600 });
  const child = spawn(starter, [file], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'], env: {}, cwd: '/' });
  const said = statusOf(child.stdio[3]);
  const end = await endOf(child);
  const written = await said;
  await rm(file, { force: true });
  if (written.length >= 64) return list.failure(written);
  return end.code === 0 ? undefined : { what: `the starter ended with ${end.code ?? end.signal}`, errno: 0 };
}

/** What the starter wrote before it ended or became the command. */
export async function statusOf(stream: unknown): Promise<Buffer> {
  const chunks: Buffer[] = [];
  if (!isReadable(stream)) return Buffer.alloc(0);
  for await (const chunk of stream) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function isReadable(stream: unknown): stream is AsyncIterable<unknown> {
  return typeof stream === 'object' && stream !== null && Symbol.asyncIterator in stream;
}
