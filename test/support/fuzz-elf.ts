/**
 * A program of some two hundred bytes for x86-64 that makes system calls with random numbers and arguments, through the
 * 64-bit or the 32-bit entry, without end. Eight characters of its first argument are the seed, so that a run can be
 * had again. It leaves out the two calls that only end it.
 */
import { CODE_AT, elf, u32 } from './tiny-elf.ts';

const BUFFER_BYTES = 0x1_0000;
const ARGUMENTS = 16;

/** Load one argument into each register of the ABI: from rax, in the order of the arguments. */
const REGISTERS = {
  'x86-64': [
    [0x48, 0x89, 0xc7], // rdi
    [0x48, 0x89, 0xc6], // rsi
    [0x48, 0x89, 0xc2], // rdx
    [0x49, 0x89, 0xc2], // r10
    [0x49, 0x89, 0xc0], // r8
    [0x49, 0x89, 0xc1], // r9
  ],
  i386: [
    [0x89, 0xc3], // ebx
    [0x89, 0xc1], // ecx
    [0x89, 0xc2], // edx
    [0x89, 0xc6], // esi
    [0x89, 0xc7], // edi
    [0x89, 0xc5], // ebp
  ],
} as const;
const ENTRY = { 'x86-64': [0x0f, 0x05], i386: [0xcd, 0x80] } as const;
const ENDINGS = { 'x86-64': [60, 231], i386: [1, 252] } as const;

/** xorshift64 over r12; the upper half of the result is in eax. */
const NEXT = [
  ...[0x4c, 0x89, 0xe0, 0x48, 0xc1, 0xe0, 13, 0x49, 0x31, 0xc4],
  ...[0x4c, 0x89, 0xe0, 0x48, 0xc1, 0xe8, 7, 0x49, 0x31, 0xc4],
  ...[0x4c, 0x89, 0xe0, 0x48, 0xc1, 0xe0, 17, 0x49, 0x31, 0xc4],
  ...[0x4c, 0x89, 0xe0, 0x48, 0xc1, 0xe8, 32, 0xc3],
];
const START = [
  ...[0x48, 0x8b, 0x44, 0x24, 0x10], // mov rax, [rsp+16]: the first argument
  ...[0x4c, 0x8b, 0x20], // mov r12, [rax]
];

/** The program for one ABI. */
export function fuzzProgram(abi: keyof typeof ENTRY): Buffer {
  // The two functions lie before the start, which a jump leads to.
  const functions = 2;
  const argumentAt = functions + NEXT.length;
  const argument = [...callTo(functions, argumentAt), 0x83, 0xe0, ARGUMENTS - 1, 0x48, 0x8b, 0x04, 0xc5];
  const startAt = argumentAt + argument.length + 4 + 1;
  const loopAt = startAt + START.length;
  const loop = loopOf(abi, { loopAt, nextAt: functions, argumentAt });
  const tableAt = CODE_AT + loopAt + loop.length;
  const code = [
    ...[0xeb, startAt - functions],
    ...NEXT,
    ...[...argument, ...u32(tableAt), 0xc3], // mov rax, [table + rax * 8]; ret
    ...START,
    ...loop,
    ...tableOf(tableAt + ARGUMENTS * 8),
  ];
  return elf(code, BUFFER_BYTES);
}

function loopOf(
  abi: keyof typeof ENTRY,
  at: { readonly loopAt: number; readonly nextAt: number; readonly argumentAt: number },
): number[] {
  const code: number[] = [];
  const here = (): number => at.loopAt + code.length;
  code.push(...callTo(at.nextAt, here()));
  code.push(0x25, ...u32(0x1ff)); // and eax, 511
  code.push(0x41, 0x89, 0xc6); // mov r14d, eax
  for (const ending of ENDINGS[abi]) {
    code.push(0x41, 0x81, 0xfe, ...u32(ending)); // cmp r14d, ending
    code.push(0x0f, 0x84, ...u32(at.loopAt - (here() + 6))); // je loop
  }
  for (const register of REGISTERS[abi]) code.push(...callTo(at.argumentAt, here()), ...register);
  code.push(0x44, 0x89, 0xf0, ...ENTRY[abi]); // mov eax, r14d
  code.push(0xe9, ...u32(at.loopAt - (here() + 5))); // jmp loop
  return code;
}

const callTo = (target: number, from: number): number[] => [0xe8, ...u32(target - (from + 5))];

/** What calls make most of: descriptors, flags, sizes, addresses that can be written and such that can't. */
function tableOf(buffer: number): number[] {
  const values = [0, 1, 2, 3, 4, 8, 16, 64, 4_096, 0x7fff_ffff, 0x8000_0000, -1, -100, 0x1000];
  const addresses = [buffer, buffer + 4_096];
  return [...values, ...addresses].flatMap((value) => [
    ...new Uint8Array(new BigInt64Array([BigInt(value)]).buffer),
  ]);
}
