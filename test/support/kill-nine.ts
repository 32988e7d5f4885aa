/**
 * Kills a stager at a moment of choice and looks at what of it is left: processes, mounts, loop
 * devices, cgroups, namespaces and network devices. What belonged to it is written down just before, from its descendants.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { type Cli, type CliOptions, stageArgs } from './cli.ts';

/** What is killed. */
export const VICTIMS = ['stage', 'run', 'shell'] as const;
export type Victim = (typeof VICTIMS)[number];

/** Scripts that want to outlive their stager. */
const STUBBORN =
  "trap '' HUP INT TERM; (trap '' HUP INT TERM; setsid sleep 86397 &) ; head -c 4M /dev/zero >$1/big; sleep 0.3; echo on";

const KINDS = ['mnt', 'pid', 'user', 'net', 'ipc', 'uts', 'cgroup'] as const;

/** What belonged to one stager. */
interface Belongings {
  /** Process → its start time, so that a pid that is used again is not taken for it. */
  readonly processes: ReadonlyMap<number, string>;
  readonly namespaces: ReadonlySet<string>;
  readonly cgroups: ReadonlySet<string>;
}

/** Arguments of the victim; a droplet for `run` has to be at `DIR/droplet.tgz`. */
export function victimArgs(cli: Cli, victim: Victim, app: string): readonly string[] {
  switch (victim) {
    case 'stage':
      return stageArgs(app, { SUPPLY: STUBBORN, FINALIZE: STUBBORN });
    case 'run':
      return ['run', `${cli.dir}/droplet.tgz`, '--command', STUBBORN.replace('$1/big', '/tmp/big')];
    case 'shell':
      return [
        'shell',
        app,
        '-b',
        stageArgs(app)[3] ?? '',
        '--command',
        STUBBORN.replace('$1/big', '/tmp/big'),
      ];
  }
}

/**
 * Starts `args` and kills them after `afterMs`.
 *
 * @returns tells what is left, as sentences; none is what is wanted.
 */
export async function killNine(
  cli: Cli,
  args: readonly string[],
  { afterMs, ...options }: CliOptions & { readonly afterMs: number },
): Promise<() => readonly string[]> {
  const before = new Set(seen(cli.dir));
  const { child, ended } = cli.start(args, options);
  await setTimeout(afterMs);
  const had = belongingsOf(child.pid ?? 0);
  child.kill('SIGKILL');
  await ended;
  return () => [
    ...[...had.processes]
      .filter(([pid, start]) => startOf(pid) === start)
      .map(([pid]) => `process ${nameOf(pid)}`),
    ...heldBy(had.namespaces),
    ...[...had.cgroups].filter((path) => cgroupExists(path)).map((path) => `cgroup ${path}`),
    ...seen(cli.dir).filter((line) => !before.has(line)),
  ];
}

/** What can be told to be of a stager whose files are below `directory`, whoever it is. */
function seen(directory: string): string[] {
  const pids = list('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return [
    ...pids
      .filter((pid) => startOf(Number(pid)) !== undefined && nameOf(Number(pid)).includes(directory))
      .map((pid) => `process ${nameOf(Number(pid))}`),
    ...linesWith('/proc/self/mountinfo', directory).map((line) => `mount ${line}`),
    ...loopDevices(directory).map((line) => `loop device ${line}`),
    ...list('/sys/class/net')
      .filter((name) => name.startsWith('stager'))
      .map((name) => `network device ${name}`),
  ];
}

function belongingsOf(pid: number): Belongings {
  const processes = new Map<number, string>();
  const namespaces = new Set<string>();
  const cgroups = new Set<string>();
  const own = new Set(KINDS.map((kind) => linkOf(`/proc/self/ns/${kind}`)));
  for (const each of [pid, ...descendants(pid)]) {
    processes.set(each, startOf(each) ?? '');
    for (const kind of KINDS) {
      const space = linkOf(`/proc/${each}/ns/${kind}`);
      if (space !== undefined && !own.has(space)) namespaces.add(space);
    }
    for (const line of textOf(`/proc/${each}/cgroup`).split('\n')) {
      const path = line.split(':').slice(2).join(':');
      if (path.includes('/stager-')) cgroups.add(path);
    }
  }
  return { processes, namespaces, cgroups };
}

function descendants(pid: number): number[] {
  const children = list(`/proc/${pid}/task`)
    .flatMap((thread) => textOf(`/proc/${pid}/task/${thread}/children`).split(' '))
    .filter(Boolean)
    .map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function heldBy(namespaces: ReadonlySet<string>): string[] {
  return list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => KINDS.map((kind) => [pid, linkOf(`/proc/${pid}/ns/${kind}`) ?? ''] as const))
    .filter(([, space]) => namespaces.has(space))
    .map(([pid, space]) => `namespace ${space} of ${nameOf(Number(pid))}`);
}

function cgroupExists(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return ['', ...list('/sys/fs/cgroup')].some((hierarchy) =>
    [path, `/${name}`].some((below) => existsSync(`/sys/fs/cgroup/${hierarchy}${below}`)),
  );
}

/** A process that has ended and waits for its parent holds nothing. */
function startOf(pid: number): string | undefined {
  const fields = textOf(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  return fields[0] === undefined || fields[0] === '' || fields[0] === 'Z' ? undefined : fields[19];
}

/** Loop devices whose file was below `directory`. */
export function loopDevices(directory: string): string[] {
  const { stdout } = spawnSync('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'], {
    encoding: 'utf8',
  });
  return (stdout ?? '').split('\n').filter((line) => line.includes(directory));
}

const nameOf = (pid: number): string => `${pid} ${textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`;
const linesWith = (path: string, part: string): string[] =>
  textOf(path)
    .split('\n')
    .filter((line) => line.includes(part));

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
