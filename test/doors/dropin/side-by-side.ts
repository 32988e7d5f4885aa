/** Runs a scenario with two programs over the same inputs at the same paths, and says where they differ. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Programs } from './programs.ts';
import type { Scenario } from './scenario.ts';
import { type Servers, startServers } from './servers.ts';
import { snapshotOf } from './snapshot.ts';
import { World } from './world.ts';

/** One difference; `ours` and `theirs` are what each has and the other has not. */
export interface Difference {
  readonly where: string;
  readonly theirs: readonly string[];
  readonly ours: readonly string[];
}

/** Ours and the original's. */
export interface Pair {
  readonly theirs: Programs;
  readonly ours: Programs;
}

/** Scenarios that run at the same time, each lane in a directory and with servers of its own. */
const LANES = 2;

/**
 * Compares all `scenarios`; `onDone` is called for each as it is done.
 *
 * @param base a directory for the lanes, which the caller removes.
 */
export async function compareAll(
  scenarios: readonly Scenario[],
  pair: Pair,
  options: {
    readonly base: string;
    readonly onDone: (scenario: Scenario, outcome: readonly Difference[] | Error) => void;
  },
): Promise<void> {
  const waiting = [...scenarios];
  const lane = async (number: number): Promise<void> => {
    const servers = await startServers();
    try {
      for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift()) {
        const surroundings = { root: join(options.base, `world${number}`), servers };
        const outcome = await compareScenario(scenario, pair, surroundings).catch((error: unknown) =>
          error instanceof Error ? error : new Error(String(error)),
        );
        options.onDone(scenario, outcome);
      }
    } finally {
      await servers.close();
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
}

/** Runs `scenario` twice below `root`. No difference, no entry. */
export async function compareScenario(
  scenario: Scenario,
  programs: Pair,
  surroundings: { readonly root: string; readonly servers: Servers },
): Promise<readonly Difference[]> {
  const theirs = await observe(scenario, programs.theirs, surroundings);
  const ours = await observe(scenario, programs.ours, surroundings);
  return [...new Set([...Object.keys(theirs), ...Object.keys(ours)])].flatMap((where) => {
    const left = theirs[where] ?? [];
    const right = ours[where] ?? [];
    if (JSON.stringify(left) === JSON.stringify(right)) return [];
    const difference = {
      where,
      theirs: left.filter((it) => !right.includes(it)),
      ours: right.filter((it) => !left.includes(it)),
    };
    return [difference];
  });
}

const IGNORING = `trap '' HUP INT PIPE TERM`;

type Observation = Readonly<Record<string, readonly string[]>>;

async function observe(
  scenario: Scenario,
  programs: Programs,
  { root, servers }: { readonly root: string; readonly servers: Servers },
): Promise<Observation> {
  servers.reset();
  const world = new World(root);
  scenario.lay(world, servers);
  world.settle();
  const program = programs[scenario.program];
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const shell = scenario.ignoresSignals === true ? IGNORING : scenario.shell;
  const [file = program, ...before] =
    shell === undefined ? [program] : ['/bin/sh', '-c', `${shell}\nexec "$0" "$@"`, program];
  const child = spawn(file, [...before, ...scenario.args(world, servers)], {
    cwd: world.path(scenario.cwd ?? 'home'),
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      TMPDIR: world.path('tmp'),
      HOME: world.path('home'),
      LANG: 'C.UTF-8',
      ...scenario.env?.(world, servers),
    },
    stdio: [scenario.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      const before = output[name];
      output[name] += chunk.toString();
      const isReady = (text: string): boolean => text.includes('ready\n');
      if (scenario.signal !== undefined && !isReady(before) && isReady(output[name]))
        child.kill(scenario.signal);
    });
  }
  child.stdin?.end(scenario.input);
  child.once('error', reject);
  child.once('close', (code, signal) => resolve(`${code} ${signal}`));
  const exit = await promise;
  const normal = (text: string): readonly string[] => normalise(text, program, child.pid ?? 0).split('\n');
  return {
    exit: [exit],
    stdout: normal(output.stdout),
    stderr: normal(output.stderr),
    posted: [...servers.posted],
    ...(await snapshotOf(world)),
  };
}

/** Takes out what differs from run to run: names of temporary files, name servers, the program's name, its process. */
function normalise(text: string, program: string, pid: number): string {
  return (
    text
      .replaceAll(program, 'PROGRAM')
      .replaceAll(/contents\d+/g, 'contentsN')
      .replaceAll(/\.zip\d+/g, '.zipN')
      .replaceAll(/(lookup \S+) on \S+:53:/g, '$1:')
      .replaceAll(`pid=${pid}`, 'pid=OURS')
      // Said by the shell that starts ours (docs/dropin.md).
      .replaceAll('sh: 0: getcwd() failed: No such file or directory\n', '')
  );
}
