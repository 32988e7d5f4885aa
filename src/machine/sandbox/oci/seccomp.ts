/**
 * The system calls that foreign code may make: an allow-list in the manner of the container engines' default
 * profiles, narrowed for staging (no ptrace, no reading of other processes' memory, no io_uring, no keyrings).
 *
 * What is on no list answers ENOSYS, so that a C library falls back as on an older kernel; what is dangerous and
 * well known answers EPERM, so that programs say "not permitted". clone3 answers ENOSYS since its flags are in
 * memory, where a filter can't see them; the C libraries then use clone, whose flags it can.
 */
import { ALLOWED_CALLS, REFUSED_CALLS } from './seccomp-calls.ts';

const EPERM = 1;
const ENOSYS = 38;
const EOPNOTSUPP = 95;
const EAFNOSUPPORT = 97;

/** CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}: no new namespaces. */
const CLONE_NEW_FLAGS = 0x7e020000;
/** personality(2): PER_LINUX, UNAME26, PER_LINUX32, both, and the query. */
const PERSONALITIES = [0x0, 0x0008, 0x20000, 0x20008, 0xffffffff] as const;
/** socket(2) families: the local one, IPv4, IPv6 and netlink (address look-ups); no vsock, packet, alg, bluetooth … */
const SOCKET_FAMILIES = [1, 2, 10, 16] as const;

const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  ppc64: ['SCMP_ARCH_PPC64LE'],
  s390x: ['SCMP_ARCH_S390X', 'SCMP_ARCH_S390'],
  riscv64: ['SCMP_ARCH_RISCV64'],
};

/** The profile as the `linux.seccomp` of an OCI config. */
export interface SeccompProfile {
  readonly defaultAction: 'SCMP_ACT_ERRNO';
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

interface SeccompRule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errnoRet?: number;
  readonly args?: readonly { index: number; value: number; valueTwo?: number; op: string }[];
}

/** The profile for a machine; `arch` as in `process.arch`. */
export function seccompProfile(arch: string): SeccompProfile {
  // s390 has the flags of clone as its second argument.
  const cloneFlags = arch === 's390x' ? 1 : 0;
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ENOSYS,
    architectures: ARCHITECTURES[arch] ?? [],
    syscalls: [
      { names: ALLOWED_CALLS, action: 'SCMP_ACT_ALLOW' },
      { names: REFUSED_CALLS, action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
      {
        names: ['clone'],
        action: 'SCMP_ACT_ALLOW',
        args: [{ index: cloneFlags, value: CLONE_NEW_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
      },
      // Takes what a disk has in no time; C libraries write zeros when a file system can't do it.
      { names: ['fallocate'], action: 'SCMP_ACT_ERRNO', errnoRet: EOPNOTSUPP },
      socketcallOn(arch),
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
      ...PERSONALITIES.map((value) => allowedWhen('personality', value)),
      ...SOCKET_FAMILIES.map((value) => allowedWhen('socket', value)),
    ],
  };
}

/**
 * socketcall(2) takes the family out of memory, where a filter can't see it: AF_VSOCK reaches the host through it.
 * Unless it is refused by name, libseccomp lets it through for whoever may make sockets. Only on s390x the C library
 * of 64-bit programs has nothing else; on x86 32-bit programs lose the network.
 */
function socketcallOn(arch: string): SeccompRule {
  const names = ['socketcall'];
  if (arch === 's390x') return { names, action: 'SCMP_ACT_ALLOW' };
  return { names, action: 'SCMP_ACT_ERRNO', errnoRet: EAFNOSUPPORT };
}

function allowedWhen(name: string, value: number): SeccompRule {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }] };
}
