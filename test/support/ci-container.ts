/**
 * A container as a CI job has it, made with runc itself: Docker's default capabilities, what its default filter refuses
 * to whoever lacks CAP_SYS_ADMIN, masked and read-only paths, cgroups that can't be written. The machine's programs and this
 * checkout are seen in it, the former read-only; everything else is its own and empty.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What differs from one job to another. */
export interface Job {
  readonly user: 'root' | 'ordinary';
  readonly cgroups: 'v1' | 'v2' | 'none';
  /** What flags of an engine give beside the default. */
  readonly flags?: {
    /** `--cap-add` */
    readonly capabilities?: readonly string[];
    /** `--security-opt seccomp=unconfined` */
    readonly unfiltered?: boolean;
    /** `--security-opt systempaths=unconfined` */
    readonly unmasked?: boolean;
  };
  /** Hard and soft limits, as an OCI config names them. */
  readonly rlimits?: readonly { readonly type: string; readonly hard: number; readonly soft: number }[];
}

const CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'MKNOD',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'KILL',
  'AUDIT_WRITE',
].map((name) => `CAP_${name}`);

/** Refused by Docker without CAP_SYS_ADMIN and its like. */
const REFUSED = [
  ...[
    'mount',
    'umount2',
    'unshare',
    'setns',
    'pivot_root',
    'fsopen',
    'fsmount',
    'fsconfig',
    'move_mount',
    'open_tree',
  ],
  ...[
    'mount_setattr',
    'bpf',
    'perf_event_open',
    'keyctl',
    'add_key',
    'request_key',
    'kexec_load',
    'open_by_handle_at',
  ],
  ...[
    'userfaultfd',
    'io_uring_setup',
    'quotactl',
    'syslog',
    'sethostname',
    'setdomainname',
    'swapon',
    'reboot',
    'acct',
  ],
];
const CLONE_NEW_FLAGS = 0x7e02_0000;

const SECCOMP = {
  defaultAction: 'SCMP_ACT_ALLOW',
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  syscalls: [
    { names: REFUSED, action: 'SCMP_ACT_ERRNO', errnoRet: 1 },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
    ...[0, 1, 2, 3, 4, 5, 6].map((bit) => {
      const flag =
        [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000][bit] ??
        CLONE_NEW_FLAGS;
      const args = [{ index: 0, value: flag, valueTwo: flag, op: 'SCMP_CMP_MASKED_EQ' }];
      return { names: ['clone'], action: 'SCMP_ACT_ERRNO', errnoRet: 1, args };
    }),
  ],
};

const MASKS = {
  maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug', '/sys/firmware'],
  readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
};

/** Why none can be made here. */
export function whyNoJobs(): string | undefined {
  if (process.getuid?.() !== 0) return 'the tests do not run as root';
  if (spawnSync('runc', ['--version']).status !== 0) return 'runc is not installed';
  return undefined;
}

/** What a command in it wrote, and its exit code. */
export interface JobEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One container; each command runs in a new one over the same files. */
export class CiContainer implements Disposable {
  readonly #dir: string;
  readonly #job: Job;

  constructor(job: Job) {
    this.#job = job;
    this.#dir = mkdtempSync('/var/tmp/stager-ci-job-');
    for (const name of ['root', 'home', 'state', 'upper', 'work']) mkdirSync(join(this.#dir, name));
    const root = join(this.#dir, 'root');
    for (const name of ['proc', 'dev', 'sys', 'tmp', 'etc', 'var', 'run', 'root', 'home'])
      mkdirSync(join(root, name));
    // The runtime gives what it mounts there the mode of what was there.
    chmodSync(join(root, 'root'), 0o700);
    chmodSync(join(root, 'tmp'), 0o1777);
    for (const name of readdirSync('/').filter((each) => /^(usr|s?bin|lib.*)$/.test(each))) {
      if (lstatSync(`/${name}`).isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), join(root, name));
      else mkdirSync(join(root, name));
    }
    mkdirSync(join(root, ROOT), { recursive: true });
    execFileSync('chown', ['1000:1000', join(this.#dir, 'home')]);
  }

  /** Runs `script` with /bin/bash in the checkout, to its end. */
  run(script: string): JobEnd {
    writeFileSync(join(this.#dir, 'config.json'), JSON.stringify(this.#config(script)));
    const id = `stager-ci-${randomUUID()}`;
    const args = ['--root', join(this.#dir, 'state'), 'run', '--bundle', this.#dir, id];
    const ran = spawnSync('runc', args, {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr };
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #config(script: string): unknown {
    const { flags } = this.#job;
    const isRoot = this.#job.user === 'root';
    const ids = isRoot ? { uid: 0, gid: 0 } : { uid: 1000, gid: 1000 };
    const home = isRoot ? '/root' : '/home';
    const capabilities = Object.fromEntries(
      ['bounding', 'effective', 'permitted'].map((set) => [
        set,
        isRoot || set === 'bounding' ? [...CAPABILITIES, ...(flags?.capabilities ?? [])] : [],
      ]),
    );
    const env = [
      `PATH=${join(ROOT, 'node_modules/node/bin')}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      `HOME=${home}`,
    ];
    return {
      ociVersion: '1.0.2',
      process: {
        user: ids,
        args: ['/bin/bash', '-c', script],
        env,
        cwd: ROOT,
        capabilities,
        rlimits: this.#job.rlimits ?? [],
      },
      root: { path: 'root', readonly: false },
      hostname: 'job',
      mounts: this.#mounts(),
      linux: {
        resources: {},
        cgroupsPath: `/stager-ci-${process.pid}`,
        namespaces: ['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })),
        ...(flags?.unfiltered === true ? {} : { seccomp: SECCOMP }),
        ...(flags?.unmasked === true ? {} : MASKS),
      },
    };
  }

  #mounts(): unknown[] {
    const bind = (path: string, mode: 'ro' | 'rw' = 'ro', source = path) => ({
      destination: path,
      type: 'bind',
      source,
      options: ['rbind', mode],
    });
    const tmpfs = (destination: string, mode: string) => ({
      destination,
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'nodev', `mode=${mode}`],
    });
    const stack = readdirSync(join(this.#dir, 'root')).filter((name) => /^(usr|s?bin|lib.*)$/.test(name));
    const real = stack.filter((name) => !lstatSync(join(this.#dir, 'root', name)).isSymbolicLink());
    const cgroups = {
      v1: [
        {
          destination: '/sys/fs/cgroup',
          type: 'cgroup',
          source: 'cgroup',
          options: ['nosuid', 'noexec', 'nodev', 'ro'],
        },
      ],
      v2: [bind('/sys/fs/cgroup', 'ro', '/sys/fs/cgroup/unified')],
      none: [],
    }[this.#job.cgroups];
    return [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      },
      tmpfs('/dev/shm', '1777'),
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      ...cgroups,
      ...real.map((name) => bind(`/${name}`)),
      bind('/etc'),
      tmpfs('/tmp', '1777'),
      tmpfs('/var', '755'),
      tmpfs('/run', '755'),
      tmpfs('/root', '700'),
      bind('/home', 'rw', join(this.#dir, 'home')),
      {
        destination: ROOT,
        type: 'overlay',
        source: 'overlay',
        options: [
          `lowerdir=${ROOT}`,
          `upperdir=${join(this.#dir, 'upper')}`,
          `workdir=${join(this.#dir, 'work')}`,
        ],
      },
    ];
  }
}

/** Whether this machine can show a container the second version of cgroups. */
export const hasUnified =
  existsSync('/sys/fs/cgroup/unified') || existsSync('/sys/fs/cgroup/cgroup.controllers');
