/**
 * A program of some hundred and fifty bytes that makes the system calls of a list, one after another.
 *
 * Node can't call prctl, seccomp or landlock, and no tool that every machine has can call all of them. So this does, between
 * Node's fork and the script's exec: it maps the file that its one argument names to {@link LIST_AT} and makes
 * each call in it; the last one is execve or exit. What is called, and with what, is written in start-list.ts.
 * Only one decision is made here: when a call that has to succeed fails, its entry is written to descriptor 3 and
 * the program ends with 127.
 */

/** Where the list is mapped. */
export const LIST_AT = 0x1000_0000;
/** The most that is mapped of it. */
export const LIST_BYTES = 0x400_0000;
/** Number, six arguments, flags; each eight bytes. */
export const ENTRY_BYTES = 64;

/** Bytes and what they mean, one instruction a line, as objdump shows them. */
const X64 = [
  // _start:
  ['488b7c2410', 'mov 0x10(%rsp),%rdi'],
  ['31f6', 'xor %esi,%esi'],
  ['b802000000', 'mov $0x2,%eax'],
  ['0f05', 'syscall'],
  ['85c0', 'test %eax,%eax'],
  ['7870', 'js fail'],
  ['4189c0', 'mov %eax,%r8d'],
  ['bf00000010', 'mov $0x10000000,%edi'],
  ['be00000004', 'mov $0x4000000,%esi'],
  ['ba03000000', 'mov $0x3,%edx'],
  ['41ba12000000', 'mov $0x12,%r10d'],
  ['4531c9', 'xor %r9d,%r9d'],
  ['b809000000', 'mov $0x9,%eax'],
  ['0f05', 'syscall'],
  ['4489c7', 'mov %r8d,%edi'],
  ['b803000000', 'mov $0x3,%eax'],
  ['0f05', 'syscall'],
  ['bb00000010', 'mov $0x10000000,%ebx'],
  // next:
  ['488b03', 'mov (%rbx),%rax'],
  ['488b7b08', 'mov 0x8(%rbx),%rdi'],
  ['488b7310', 'mov 0x10(%rbx),%rsi'],
  ['488b5318', 'mov 0x18(%rbx),%rdx'],
  ['4c8b5320', 'mov 0x20(%rbx),%r10'],
  ['4c8b4328', 'mov 0x28(%rbx),%r8'],
  ['4c8b4b30', 'mov 0x30(%rbx),%r9'],
  ['0f05', 'syscall'],
  ['f6433801', 'testb $0x1,0x38(%rbx)'],
  ['7428', 'je done'],
  ['4885c0', 'test %rax,%rax'],
  ['7923', 'jns done'],
  ['488903', 'mov %rax,(%rbx)'],
  ['bf03000000', 'mov $0x3,%edi'],
  ['4889de', 'mov %rbx,%rsi'],
  ['ba40000000', 'mov $0x40,%edx'],
  ['b801000000', 'mov $0x1,%eax'],
  ['0f05', 'syscall'],
  // fail:
  ['bf7f000000', 'mov $0x7f,%edi'],
  ['b8e7000000', 'mov $0xe7,%eax'],
  ['0f05', 'syscall'],
  // done:
  ['4883c340', 'add $0x40,%rbx'],
  ['ebaf', 'jmp next'],
] as const;

const ARM64 = [
  // _start:
  ['e10b40f9', 'ldr x1, [sp, #16]'],
  ['600c8092', 'mov x0, #0xffffffffffffff9c'],
  ['020080d2', 'mov x2, #0x0'],
  ['080780d2', 'mov x8, #0x38'],
  ['010000d4', 'svc #0x0'],
  ['8003f8b7', 'tbnz x0, #63, fail'],
  ['e40300aa', 'mov x4, x0'],
  ['0000a2d2', 'mov x0, #0x10000000'],
  ['0180a0d2', 'mov x1, #0x4000000'],
  ['620080d2', 'mov x2, #0x3'],
  ['430280d2', 'mov x3, #0x12'],
  ['f30304aa', 'mov x19, x4'],
  ['050080d2', 'mov x5, #0x0'],
  ['c81b80d2', 'mov x8, #0xde'],
  ['010000d4', 'svc #0x0'],
  ['e00313aa', 'mov x0, x19'],
  ['280780d2', 'mov x8, #0x39'],
  ['010000d4', 'svc #0x0'],
  ['1400a2d2', 'mov x20, #0x10000000'],
  // next:
  ['880240f9', 'ldr x8, [x20]'],
  ['808640a9', 'ldp x0, x1, [x20, #8]'],
  ['828e41a9', 'ldp x2, x3, [x20, #24]'],
  ['849642a9', 'ldp x4, x5, [x20, #40]'],
  ['010000d4', 'svc #0x0'],
  ['861e40f9', 'ldr x6, [x20, #56]'],
  ['66010036', 'tbz w6, #0, done'],
  ['4001f8b6', 'tbz x0, #63, done'],
  ['800200f9', 'str x0, [x20]'],
  ['600080d2', 'mov x0, #0x3'],
  ['e10314aa', 'mov x1, x20'],
  ['020880d2', 'mov x2, #0x40'],
  ['080880d2', 'mov x8, #0x40'],
  ['010000d4', 'svc #0x0'],
  // fail:
  ['e00f80d2', 'mov x0, #0x7f'],
  ['c80b80d2', 'mov x8, #0x5e'],
  ['010000d4', 'svc #0x0'],
  // done:
  ['94020191', 'add x20, x20, #0x40'],
  ['eeffff17', 'b next'],
] as const;

const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const LOADED_AT = 0x40_0000;

const MACHINES = {
  x64: { machine: 62, code: X64 },
  arm64: { machine: 183, code: ARM64 },
} as const;

/** Architectures that have one. */
export type StarterArch = keyof typeof MACHINES;

/** `arch` as in `process.arch`. */
export function isStarterArch(arch: string): arch is StarterArch {
  return arch in MACHINES;
}

/** The whole ELF file: one header, one segment that is read and executed. */
export function starterProgram(arch: StarterArch): Buffer {
  const { machine, code } = MACHINES[arch];
  const text = Buffer.from(code.map(([bytes]) => bytes).join(''), 'hex');
  const headers = Buffer.alloc(ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES);
  // 64 bits, little-endian, version 1, System V.
  headers.write('7f454c46020101', 0, 'hex');
  headers.writeUInt16LE(2, 16);
  headers.writeUInt16LE(machine, 18);
  headers.writeUInt32LE(1, 20);
  headers.writeBigUInt64LE(BigInt(LOADED_AT + headers.length), 24);
  headers.writeBigUInt64LE(BigInt(ELF_HEADER_BYTES), 32);
  headers.writeUInt16LE(ELF_HEADER_BYTES, 52);
  headers.writeUInt16LE(PROGRAM_HEADER_BYTES, 54);
  headers.writeUInt16LE(1, 56);
  const at = ELF_HEADER_BYTES;
  const length = BigInt(headers.length + text.length);
  headers.writeUInt32LE(1, at);
  headers.writeUInt32LE(5, at + 4);
  headers.writeBigUInt64LE(BigInt(LOADED_AT), at + 16);
  headers.writeBigUInt64LE(BigInt(LOADED_AT), at + 24);
  headers.writeBigUInt64LE(length, at + 32);
  headers.writeBigUInt64LE(length, at + 40);
  headers.writeBigUInt64LE(0x1000n, at + 48);
  return Buffer.concat([headers, text]);
}
