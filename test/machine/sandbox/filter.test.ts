import { describe, expect, it } from 'vitest';
import { CALL_NUMBERS } from '../../../src/machine/sandbox/kernel/call-numbers.ts';
import { ALLOWED_CALLS, REFUSED_CALLS } from '../../../src/machine/sandbox/oci/seccomp-calls.ts';
import { filterProgram } from '../../../src/machine/sandbox/process/filter.ts';

const ARCH = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const errno = (number: number): number => 0x00050000 | number;
/** Asked with the first argument 0, these have rules of their own. */
const BY_ARGUMENT = new Set(['clone', 'personality', 'socket', 'setrlimit', 'prlimit64', 'ioctl']);

interface Call {
  readonly number: number;
  readonly arch?: number;
  readonly args?: readonly bigint[];
}

/** What the kernel would answer: classic BPF as far as the filter uses it. */
function answer(program: Buffer, { number, arch = ARCH.x64, args = [] }: Call): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(arch, 4);
  for (const [index, value] of args.entries()) data.writeBigUInt64LE(value, 16 + index * 8);
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at += 1) {
    const [op, yes, no] = [program.readUInt16LE(at * 8), program[at * 8 + 2] ?? 0, program[at * 8 + 3] ?? 0];
    const value = program.readUInt32LE(at * 8 + 4);
    if (op === 0x20) accumulator = data.readUInt32LE(value);
    else if (op === 0x54) accumulator = (accumulator & value) >>> 0;
    else if (op === 0x15) at += accumulator === value ? yes : no;
    else if (op === 0x25) at += accumulator > value ? yes : no;
    else if (op === 0x06) return value;
    else throw new Error(`unknown instruction ${op}`);
  }
  throw new Error('the program has no end');
}

const numberOf = (name: string): number => CALL_NUMBERS.x64.get(name) ?? -1;

describe.each(['x64', 'arm64'] as const)('the filter of a confined process on %s', (arch) => {
  const program = filterProgram(arch, { network: 'host' });
  const ask = (number: number, args: readonly bigint[] = []): number =>
    answer(program, { number, arch: ARCH[arch], args });

  it('fits into what the kernel takes', () => {
    expect(program.length / 8).toBeLessThan(4096);
  });

  it('answers for each call as the profile of a container does', () => {
    for (const [name, number] of CALL_NUMBERS[arch]) {
      if (BY_ARGUMENT.has(name) || name === 'fallocate' || name === 'clone3') continue;
      const expected = ALLOWED_CALLS.includes(name)
        ? ALLOW
        : REFUSED_CALLS.includes(name)
          ? errno(1)
          : errno(38);
      expect([name, ask(number)]).toEqual([name, expected]);
    }
    expect(ask(1_000)).toBe(errno(38));
    expect(ask(0x4000_0000)).toBe(errno(38));
  });

  it('ends whoever uses another ABI', () => {
    const i386 = 0x40000003;
    expect(answer(program, { number: 1, arch: i386 })).toBe(KILL);
  });
});

describe('the filter of a confined process', () => {
  const program = filterProgram('x64', { network: 'host' });
  const ask = (name: string, ...args: bigint[]): number => answer(program, { number: numberOf(name), args });

  it('refuses new namespaces and families of sockets that are not the network', () => {
    expect(ask('clone', 17n)).toBe(ALLOW);
    expect(ask('clone', 0x10000011n)).toBe(errno(38));
    expect(ask('clone3', 0n)).toBe(errno(38));
    expect([1n, 2n, 10n, 16n].map((family) => ask('socket', family))).toEqual(Array(4).fill(ALLOW));
    expect(ask('socket', 40n)).toBe(errno(38));
  });

  it('keeps the mark of a run, while limits can be read and others lowered', () => {
    expect(ask('setrlimit', 15n, 1n)).toBe(errno(1));
    expect(ask('setrlimit', 7n, 1n)).toBe(ALLOW);
    expect(ask('prlimit64', 0n, 15n, 0x1000n)).toBe(errno(1));
    expect(ask('prlimit64', 0n, 15n, 0x7f00_0000_0000n)).toBe(errno(1));
    expect(ask('prlimit64', 0n, 15n, 0n, 0x1000n)).toBe(ALLOW);
    expect(ask('prlimit64', 0n, 7n, 0x1000n)).toBe(ALLOW);
  });

  it('does not let a script type at the terminal of the caller', () => {
    expect(ask('ioctl', 0n, 0x5412n)).toBe(errno(1));
    expect(ask('ioctl', 0n, 0x541cn)).toBe(errno(1));
    expect(ask('ioctl', 0n, 0x5401n)).toBe(ALLOW);
  });

  it('has no network where none is asked for', () => {
    const without = filterProgram('x64', { network: 'none' });
    const socket = (family: bigint): number =>
      answer(without, { number: numberOf('socket'), args: [family] });
    expect([2n, 10n, 16n].map(socket)).toEqual(Array(3).fill(errno(97)));
    expect(socket(1n)).toBe(ALLOW);
  });
});
