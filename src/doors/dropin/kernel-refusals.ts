/**
 * What Linux refuses to execute with ENOEXEC. libuv starts scripts through execvp(3), which hands such a file to
 * /bin/sh; the original's execve(2) fails. So the kernel's rules are asked for before a script is started.
 */
import { closeSync, openSync, readSync } from 'node:fs';

/** The kernel looks at no more of a file. */
const HEAD = 256;
const X86_64 = [62, 3] as const;
const MACHINES: Readonly<Partial<Record<NodeJS.Architecture, readonly number[]>>> = {
  x64: X86_64,
  arm64: [183, 40],
};

/** Whether the kernel can't execute `path`. Files that can't be read are left to it. */
export function kernelRefuses(path: string): boolean {
  const head = headOf(path);
  if (head === undefined) return false;
  const text = head.toString('latin1');
  if (text.startsWith('#!')) return interpreterIsCut(text);
  return !text.startsWith('\x7fELF') || isForeign(head);
}

function headOf(path: string): Buffer | undefined {
  const head = Buffer.alloc(HEAD);
  try {
    const fd = openSync(path, 'r');
    try {
      readSync(fd, head, 0, HEAD, 0);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
  return head;
}

/** A `#!` line without an interpreter, or with one whose end is not seen. What follows a blank may be cut. */
function interpreterIsCut(text: string): boolean {
  const end = text.indexOf('\n');
  const line = end < 0 ? text.slice(2, HEAD - 1) : text.slice(2, end);
  const name = line.replace(/^[ \t]+/, '');
  if (name === '' || name.startsWith('\0')) return true;
  return end < 0 && !/[ \t\0]/.test(name);
}

/** A program of another processor, or no program. */
function isForeign(head: Buffer): boolean {
  const type = head.readUInt16LE(16);
  const known = MACHINES[process.arch];
  const isProgram = type === 2 || type === 3;
  return !isProgram || (known !== undefined && !known.includes(head.readUInt16LE(18)));
}
