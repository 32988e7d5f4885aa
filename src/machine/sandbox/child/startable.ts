/**
 * Says before the start whether a program can start, as execve(2) would decide it.
 *
 * A runtime tells only in words why an exec failed, and a shell runs a file without `#!` as a script; so the file
 * itself is looked at: mode, first line or ELF header, and the interpreter that they name.
 */

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { shebangLine } from '../../../words/shebang.ts';
import type { InsideFile, InsideView } from './inside-view.ts';

/** Host ids that the command has, for the permission bits. */
export interface ProgramUser {
  readonly uid: number;
  readonly gid: number;
}

/** Linux reads this much of a first line (BINPRM_BUF_SIZE). */
const HEAD_BYTES = 256;
/** Interpreters may be scripts themselves, this deep. */
const MAX_INTERPRETERS = 4;

/** e_machine of ELF for Node's names of architectures. */
const ELF_MACHINES: Readonly<Record<string, readonly number[]>> = {
  x64: [62, 3],
  arm64: [183, 40],
  arm: [40],
  ia32: [3],
  ppc64: [21],
  s390x: [22],
  riscv64: [243],
};

/**
 * @param path absolute path inside
 * @returns undefined when it can start, otherwise a sentence that says why not.
 */
export async function whyNotStartable(
  path: string,
  view: InsideView,
  user: ProgramUser,
): Promise<string | undefined> {
  return await whyNot(path, { view, user, depth: 0 });
}

interface Look {
  readonly view: InsideView;
  readonly user: ProgramUser;
  /** Interpreters on the way here. */
  readonly depth: number;
}

async function whyNot(path: string, look: Look): Promise<string | undefined> {
  const { view, user, depth } = look;
  const file = await view.resolve(path);
  if ('missing' in file) return `${path}: ${MISSING[file.missing]}${file.at === path ? '' : ` (${file.at})`}`;
  if (file.stats.isDirectory()) return `${path}: is a directory`;
  if (!file.stats.isFile()) return `${path}: not a regular file`;
  if (!mayExecute(file, user)) {
    return `${path}: permission denied: not executable (mode ${(file.stats.mode & 0o7777).toString(8).padStart(4, '0')})`;
  }
  const interpreter = await interpreterOf(file);
  if (interpreter === undefined) return undefined;
  if ('bad' in interpreter) return `${path}: exec format error: ${interpreter.bad}`;
  if (depth >= MAX_INTERPRETERS) return `${path}: too many interpreters in a row`;
  const why = await whyNot(interpreter.path, { ...look, depth: depth + 1 });
  if (why === undefined) return undefined;
  const hint = interpreter.path.endsWith('\r') ? '; the first line ends with a carriage return' : '';
  return `${path}: its ${interpreter.what} can't be used: ${why.replaceAll('\r', '\\r')}${hint}`;
}

const MISSING = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  ELOOP: 'too many symbolic links',
} as const;

function mayExecute(file: InsideFile, user: ProgramUser): boolean {
  const { mode, uid, gid } = file.stats;
  if (uid === user.uid) return (mode & 0o100) !== 0;
  if (gid === user.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}

type Interpreter = { readonly path: string; readonly what: string } | { readonly bad: string };

async function interpreterOf(file: InsideFile): Promise<Interpreter | undefined> {
  const handle = await open(file.host, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await handle.read(head, 0, HEAD_BYTES, 0);
    const read = head.subarray(0, bytesRead);
    if (read.length === 0) return { bad: 'the file is empty' };
    const line = shebangLine(read.toString('utf8'));
    if (line !== undefined) return scriptInterpreter(line);
    if (read.subarray(0, 4).toString('latin1') === '\x7fELF') {
      return await elfInterpreter(read, async (length, position) => {
        const piece = Buffer.alloc(length);
        const done = await handle.read(piece, 0, length, position);
        return piece.subarray(0, done.bytesRead);
      });
    }
    return { bad: 'neither a script that begins with #! nor an ELF program' };
  } finally {
    await handle.close();
  }
}

function scriptInterpreter(line: string): Interpreter {
  const path = line.replace(/^[ \t]+/, '').split(/[ \t\0]/)[0] ?? '';
  if (path === '') return { bad: 'the first line #! names no interpreter' };
  // Relative interpreters are looked up in the working directory; nobody means that, but exec allows it.
  return { path: path.startsWith('/') ? path : `/${path}`, what: `interpreter (#!${line.trim()})` };
}

const PT_INTERP = 3;

async function elfInterpreter(
  head: Buffer,
  readAt: (length: number, position: number) => Promise<Buffer>,
): Promise<Interpreter | undefined> {
  const wide = head[4] === 2;
  const big = head[5] === 2;
  if (head.length < (wide ? 64 : 52)) return { bad: 'the ELF header is cut short' };
  const u16 = (at: number): number => (big ? head.readUInt16BE(at) : head.readUInt16LE(at));
  const machine = u16(18);
  const known = ELF_MACHINES[process.arch];
  if (known !== undefined && !known.includes(machine)) {
    return { bad: `an ELF program for another machine (e_machine ${machine}, here ${process.arch})` };
  }
  const word = (from: Buffer, at: number): number => {
    if (!wide) return big ? from.readUInt32BE(at) : from.readUInt32LE(at);
    return Number(big ? from.readBigUInt64BE(at) : from.readBigUInt64LE(at));
  };
  const entrySize = u16(wide ? 54 : 42);
  const count = Math.min(u16(wide ? 56 : 44), 64);
  const table = await readAt(entrySize * count, word(head, wide ? 32 : 28));
  for (let at = 0; at + (wide ? 56 : 32) <= table.length && entrySize > 0; at += entrySize) {
    if ((big ? table.readUInt32BE(at) : table.readUInt32LE(at)) !== PT_INTERP) continue;
    const offset = word(table, at + (wide ? 8 : 4));
    const size = Math.min(word(table, at + (wide ? 32 : 16)), 4096);
    const name = (await readAt(size, offset)).toString('utf8').replace(/\0.*$/s, '');
    return name.startsWith('/') ? { path: name, what: 'program loader' } : undefined;
  }
  return undefined;
}
