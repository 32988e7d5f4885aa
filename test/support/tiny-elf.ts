/**
 * Programs of a few bytes for x86-64 that make one system call by an ABI of choice and end with its errno (0: it
 * worked). A compiler is not needed, nor is one trusted to leave the call as it was meant.
 */
import { writeFileSync } from 'node:fs';

/** How a call reaches the kernel. */
export type Abi = 'x86-64' | 'x32' | 'i386' | 'i386 socketcall';

const SOCKET = { 'x86-64': 41, x32: 0x4000_0000 + 41, i386: 359 } as const;
const SOCKETCALL = 102;
const BASE = 0x40_0000;
const HEADERS = 64 + 56;
/** Where code begins in memory. */
export const CODE_AT = BASE + HEADERS;

export const u32 = (value: number): number[] => [...new Uint8Array(new Uint32Array([value]).buffer)];

/** `socket(family, SOCK_STREAM, 0)`. */
export function socketProgram(abi: Abi, family: number): Buffer {
  return elf([
    ...(abi === 'i386 socketcall' ? bySocketcall(family) : direct(abi, family)),
    ...exitWithErrno(),
  ]);
}

/** `number(arg, arg, …)` as a 64-bit or a 32-bit program makes it. */
export function callProgram(abi: 'x86-64' | 'i386', number: number, args: readonly number[]): Buffer {
  return elf([...call(abi, number, args), ...exitWithErrno()]);
}

function direct(abi: keyof typeof SOCKET, family: number): number[] {
  return call(abi === 'i386' ? 'i386' : 'x86-64', SOCKET[abi], [family, 1, 0]);
}

function call(abi: 'x86-64' | 'i386', number: number, args: readonly number[]): number[] {
  // mov edi|esi|edx|r10d|r8d|r9d for one, ebx|ecx|edx|esi|edi|ebp for the other.
  const wide = [[0xbf], [0xbe], [0xba], [0x41, 0xba], [0x41, 0xb8], [0x41, 0xb9]];
  const narrow = [[0xbb], [0xb9], [0xba], [0xbe], [0xbf], [0xbd]];
  const registers = abi === 'i386' ? narrow : wide;
  const moves = args.flatMap((value, index) => [...(registers[index] ?? []), ...u32(value)]);
  return [...moves, 0xb8, ...u32(number), ...(abi === 'i386' ? [0xcd, 0x80] : [0x0f, 0x05])];
}

/** The arguments lie behind the program. */
function bySocketcall(family: number): number[] {
  const skip = 12;
  // jmp over the words; they begin 2 bytes after the code does.
  const words = [0xeb, skip, ...u32(family), ...u32(1), ...u32(0)];
  return [...words, ...call('i386', SOCKETCALL, [1, BASE + HEADERS + 2])];
}

/** The result, if below 0, as a positive number; else 0. */
function exitWithErrno(): number[] {
  return [
    ...[0x89, 0xc7], // mov edi, eax
    ...[0x31, 0xc9], // xor ecx, ecx
    ...[0xf7, 0xdf], // neg edi
    ...[0x0f, 0x48, 0xf9], // cmovs edi, ecx
    ...[0xb8, ...u32(231)], // mov eax, exit_group
    ...[0x0f, 0x05],
  ];
}

/** @param extraBytes of zeros behind the code; then all of it can be written to. */
export function elf(code: readonly number[], extraBytes = 0): Buffer {
  const file = Buffer.alloc(HEADERS + code.length);
  file.write('\x7fELF\x02\x01\x01', 'latin1');
  file.writeUInt16LE(2, 16); // executable
  file.writeUInt16LE(62, 18); // x86-64
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(BASE + HEADERS), 24); // entry
  file.writeBigUInt64LE(64n, 32); // program headers
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64); // load
  file.writeUInt32LE(extraBytes > 0 ? 7 : 5, 68); // readable, executable, writable
  file.writeBigUInt64LE(BigInt(BASE), 80);
  file.writeBigUInt64LE(BigInt(BASE), 88);
  file.writeBigUInt64LE(BigInt(file.length), 96);
  file.writeBigUInt64LE(BigInt(file.length + extraBytes), 104);
  file.writeBigUInt64LE(4096n, 112);
  file.set(code, HEADERS);
  return file;
}

/** Writes it executable. */
export function writeProgram(path: string, program: Buffer): void {
  writeFileSync(path, program, { mode: 0o755 });
}
