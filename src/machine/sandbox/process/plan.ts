/** Finds out how much a process can give up here, by trying. */
import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { endOf } from '../child/child.ts';
import { ownGrants } from '../kernel/grants.ts';
import { type Confinement, probeList } from './confine.ts';
import { LANDLOCK_VERSIONS } from './landlock.ts';
import type { StartFailure, StartList } from './start-list.ts';
import { isStarterArch, starterProgram } from './starter.ts';
import { userRange } from './users.ts';

/** Its name below the directory of this process. */
export const STARTER = 'starter';

/** The starter as a file, and what it can do here. */
export interface ProcessPlan {
  readonly starter: string;
  readonly confinement: Confinement;
}

/** Makes the starter in `directory` and tries it: the plan, or why there is none. */
export async function planProcess(directory: string): Promise<ProcessPlan | { readonly why: string }> {
  const { arch } = process;
  if (!isStarterArch(arch)) return { why: `not written for ${arch}` };
  const starter = join(directory, STARTER);
  await writeProgram(starter, starterProgram(arch));
  const grants = await ownGrants();
  const isRoot = process.getuid?.() === 0;
  const other = isRoot ? await userRange() : undefined;
  const users = other === undefined ? [undefined] : [other.first, undefined];
  const tried: string[] = [];
  for (const user of users) {
    for (const landlock of [...LANDLOCK_VERSIONS, 0] as const) {
      const confinement = { arch, user, landlock, grants };
      const failure = await attempt(starter, join(directory, 'probe'), probeList(confinement));
      if (failure === undefined) return { starter, confinement };
      const text = describeFailure(failure);
      if (!tried.includes(text)) tried.push(text);
      if (!failure.what.startsWith('landlock_')) break;
    }
  }
  return { why: tried.join('; ') };
}

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

/** A shell writes it, since a descriptor of ours that is open for writing could be in somebody's fork at the exec. */
async function writeProgram(path: string, bytes: Buffer): Promise<void> {
  await execa('/bin/sh', ['-c', 'umask 022; cat >"$0" && chmod 755 "$0"', path], {
    input: bytes,
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
