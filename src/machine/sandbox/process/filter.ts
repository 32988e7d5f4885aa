/**
 * The system calls that a script may make, as a program for the kernel (classic BPF): what an OCI runtime makes of
 * oci/seccomp.ts with libseccomp, made here for where no runtime works.
 *
 * Only the machine's own ABI is let through; a call of any other ends the process.
 */

import { CALL_NUMBERS } from '../kernel/call-numbers.ts';
import type { StarterArch } from '../kernel/starter.ts';
import { type SeccompProfile, seccompProfile } from '../oci/seccomp.ts';
import type { NetworkKind } from '../port/network.ts';

/** AUDIT_ARCH_* */
const ARCHES = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const satisfies Record<StarterArch, number>;

const [NUMBER_AT, ARCH_AT, ARGUMENTS_AT] = [0, 4, 16] as const;
/** BPF_LD|BPF_W|BPF_ABS, BPF_ALU|BPF_AND|BPF_K, BPF_JMP|{JEQ,JGT}|BPF_K, BPF_RET|BPF_K */
const OP = { load: 0x20, and: 0x54, equal: 0x15, above: 0x25, end: 0x06 } as const;
const VERDICT = { allow: 0x7fff_0000, errno: 0x0005_0000, kill: 0x8000_0000 } as const;
const [EPERM, ENOSYS, EAFNOSUPPORT] = [1, 38, 97] as const;

/** RLIMIT_RTTIME: what marks a run (mark.ts) can't be changed by it. */
const MARKED_LIMIT = 15;
/** Would type at the terminal that a shell shares with the caller: TIOCSTI and TIOCLINUX. */
const TYPING = [0x5412, 0x541c] as const;
const [AF_INET, AF_INET6, AF_NETLINK] = [2, 10, 16] as const;

interface Instruction {
  readonly op: number;
  readonly yes?: number;
  readonly no?: number;
  readonly value: number;
}

/** What one call answers; what is left undecided goes on to the next test and at last to the default. */
type Test = readonly Instruction[];

/** The kernel's struct sock_filter, one after another. */
export function filterProgram(arch: StarterArch, wish: { readonly network: NetworkKind }): Buffer {
  const tests = testsByNumber(arch, wish);
  const body = [...runsOf(tests)].flatMap(({ last, test }) => {
    const block = [...test, verdict(VERDICT.errno | ENOSYS)];
    return [{ op: OP.above, value: last, yes: block.length, no: 0 }, ...block];
  });
  return encode([
    { op: OP.load, value: ARCH_AT },
    { op: OP.equal, value: ARCHES[arch], yes: 1, no: 0 },
    verdict(VERDICT.kill),
    { op: OP.load, value: NUMBER_AT },
    ...body,
    // Higher numbers: none that we know, and the x32 ABI.
    verdict(VERDICT.errno | ENOSYS),
  ]);
}

function testsByNumber(arch: StarterArch, wish: { readonly network: NetworkKind }): Map<number, Test> {
  const rules = new Map<string, Test>();
  for (const rule of seccompProfile(arch).syscalls) {
    for (const name of rule.names) rules.set(name, [...(rules.get(name) ?? []), ...testOf(rule)]);
  }
  for (const [name, test] of Object.entries(ownTests(wish)))
    rules.set(name, [...test, ...(rules.get(name) ?? [])]);
  const numbers = CALL_NUMBERS[arch];
  const found = [...rules].flatMap(([name, test]): [number, Test][] => {
    const number = numbers.get(name);
    return number === undefined ? [] : [[number, test]];
  });
  return new Map(found);
}

/** What has to hold beside the profile, since there is no namespace around. */
function ownTests({ network }: { readonly network: NetworkKind }): Readonly<Record<string, Test>> {
  const refusedFamilies = network === 'none' ? [AF_INET, AF_INET6, AF_NETLINK] : [];
  return {
    setrlimit: when({ argument: 0, equals: MARKED_LIMIT }, EPERM),
    // Reading it is fine: then the pointer to a new one is null.
    prlimit64: [
      load(1),
      { op: OP.equal, value: MARKED_LIMIT, yes: 0, no: 5 },
      load(2),
      { op: OP.equal, value: 0, yes: 0, no: 2 },
      { op: OP.load, value: ARGUMENTS_AT + 2 * 8 + 4 },
      { op: OP.equal, value: 0, yes: 1, no: 0 },
      verdict(VERDICT.errno | EPERM),
    ],
    ioctl: TYPING.flatMap((request) => when({ argument: 1, equals: request }, EPERM)),
    socket: refusedFamilies.flatMap((family) => when({ argument: 0, equals: family }, EAFNOSUPPORT)),
  };
}

function testOf(rule: SeccompProfile['syscalls'][number]): Test {
  const answer = verdict(
    rule.action === 'SCMP_ACT_ALLOW' ? VERDICT.allow : VERDICT.errno | (rule.errnoRet ?? EPERM),
  );
  const [arg] = rule.args ?? [];
  if (arg === undefined) return [answer];
  // The upper half does not count: these are flags and numbers of 32 bits.
  if (arg.op === 'SCMP_CMP_MASKED_EQ') {
    return [
      load(arg.index),
      { op: OP.and, value: arg.value },
      { op: OP.equal, value: arg.valueTwo ?? 0, yes: 0, no: 1 },
      answer,
    ];
  }
  return [load(arg.index), { op: OP.equal, value: arg.value, yes: 0, no: 1 }, answer];
}

function when(
  { argument, equals }: { readonly argument: number; readonly equals: number },
  errno: number,
): Test {
  return [load(argument), { op: OP.equal, value: equals, yes: 0, no: 1 }, verdict(VERDICT.errno | errno)];
}

/** The lower half of an argument. */
const load = (argument: number): Instruction => ({ op: OP.load, value: ARGUMENTS_AT + argument * 8 });

const verdict = (value: number): Instruction => ({ op: OP.end, value });

/** Neighbours that answer the same are one run; a gap is a run that answers by default. */
function* runsOf(
  tests: ReadonlyMap<number, Test>,
): Generator<{ readonly last: number; readonly test: Test }> {
  const numbers = [...tests.keys()].toSorted((a, b) => a - b);
  const most = (numbers.at(-1) ?? -1) + 1;
  let run: { last: number; test: Test; text: string } | undefined;
  for (let number = 0; number < most; number += 1) {
    const test = tests.get(number) ?? [];
    const text = JSON.stringify(test);
    if (run !== undefined && run.text !== text) yield run;
    run = { last: number, test, text };
  }
  if (run !== undefined) yield run;
}

function encode(instructions: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [index, { op, yes = 0, no = 0, value }] of instructions.entries()) {
    bytes.writeUInt16LE(op, index * 8);
    bytes.writeUInt8(yes, index * 8 + 2);
    bytes.writeUInt8(no, index * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4);
  }
  return bytes;
}
