/** Runs the real `bin/stager` in a home of its own, and looks for what it left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Dirent, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const STAGER = join(ROOT, 'bin/stager');
/** A script fixture whose phases do what the app's variables DETECT, SUPPLY, FINALIZE and RELEASE say. */
export const TOLD = join(ROOT, 'fixtures/buildpacks/does-as-told');

/** How a command ended. `code` is 128 + n for a signal. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds from the start. */
  readonly durationMs: number;
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Settles when what was written so far matches. */
  says(pattern: RegExp): Promise<void>;
  /** What a terminal does at Ctrl-C: the signal goes to the command and all that it started. */
  interrupt(): void;
}

/** What a command is run with beside its arguments. */
export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Another user (and group of the same number) than the one who runs the tests. */
  readonly uid?: number;
  /** What a shell does first, such as `umask 077`. */
  readonly shell?: string;
}

/** A temporary directory with a data home in it, and `stager` over that. */
export class Cli implements AsyncDisposable {
  /** Unprivileged users may pass through it, so that sandboxes keep their state in it. */
  readonly dir: string;
  readonly home: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.home = join(dir, 'home');
  }

  /** With an app in it that has no work. */
  static async withApp(): Promise<{ readonly cli: Cli; readonly app: string }> {
    const cli = await Cli.make();
    return { cli, app: await cli.app('app') };
  }

  static async make(): Promise<Cli> {
    const dir = await mkdtemp(join(tmpdir(), 'stager-e2e-'));
    await chmod(dir, 0o755);
    const cli = new Cli(dir);
    await mkdir(cli.home, { mode: 0o711 });
    return cli;
  }

  /** Starts `stager` with `args`. Only PATH of the tests' environment is handed on. */
  start(args: readonly string[], options: CliOptions = {}): Running {
    const begun = performance.now();
    const [program, ...rest] =
      options.shell === undefined
        ? [STAGER, ...args]
        : ['/bin/sh', '-c', `${options.shell}; exec "$0" "$@"`, STAGER, ...args];
    const child = spawn(program ?? STAGER, rest, {
      cwd: options.cwd ?? this.dir,
      // A process group of its own, as a shell gives each command.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
      env: {
        PATH: process.env['PATH'],
        HOME: this.dir,
        STAGER_HOME: this.home,
        XDG_CACHE_HOME: join(this.dir, 'cache'),
        ...options.env,
      },
    });
    let [stdout, stderr] = ['', ''];
    const watchers = new Set<() => void>();
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      for (const watch of watchers) watch();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      for (const watch of watchers) watch();
    });
    const closed = once(child, 'close');
    const ended = closed.then(() => ({
      code: child.exitCode ?? 128 + (child.signalCode === 'SIGKILL' ? 9 : 15),
      stdout,
      stderr,
      durationMs: performance.now() - begun,
    }));
    const says = (pattern: RegExp): Promise<void> => {
      const seen = new Promise<void>((resolve) => {
        const watch = (): void => {
          if (!pattern.test(stdout) && !pattern.test(stderr)) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        watch();
      });
      const gone = closed.then(() => {
        throw new Error(`ended without saying ${pattern}:\n${stdout}${stderr}`);
      });
      return Promise.race([seen, gone]);
    };
    const interrupt = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
    };
    return { child, ended, says, interrupt };
  }

  /** Runs `stager` to its end. */
  run(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
    return this.start(args, options).ended;
  }

  /** Stages `app` by the buildpack that does as it is told. */
  stage(
    app: string,
    told: Readonly<Record<string, string>> = {},
    more: readonly string[] = [],
    options: CliOptions = {},
  ): Promise<Ended> {
    return this.run(stageArgs(app, told, more), options);
  }

  /** Writes files below the directory and returns its path; a name that ends with `/` is a directory. */
  async app(
    name: string,
    files: Readonly<Record<string, string>> = { 'index.html': 'hello' },
  ): Promise<string> {
    const root = join(this.dir, name);
    await mkdir(root, { recursive: true });
    for (const [path, text] of Object.entries(files)) {
      const full = join(root, path);
      await mkdir(path.endsWith('/') ? full : dirname(full), { recursive: true });
      if (!path.endsWith('/')) await writeFile(full, text);
    }
    return root;
  }

  /** Everything that a staging must not leave, as sentences; none is what is wanted. */
  async leftovers(): Promise<string[]> {
    const workspaces = await names(join(this.home, 'workspaces'));
    const owners = (await names(join(this.home, 'sandbox'))).filter(
      (name) => name !== 'probes.json' && name !== 'etc',
    );
    const temporary: string[] = [];
    for (const place of ['blobs/.tmp', 'members/tmp', 'buildpacks/tmp']) {
      for (const name of await names(join(this.home, place))) {
        // A blobstore keeps one directory a writer; it is what is in it that counts.
        const inside = place === 'blobs/.tmp' ? await names(join(this.home, place, name)) : [name];
        temporary.push(...inside.map((file) => `${place}/${file}`));
      }
    }
    return [
      ...workspaces.map((name) => `workspace ${name}`),
      ...owners.map((name) => `sandbox state ${name}`),
      ...temporary.map((name) => `temporary file ${name}`),
      ...this.processes().map((line) => `process ${line}`),
    ];
  }

  /** Places of all droplets that the store shows. */
  async droplets(): Promise<string[]> {
    const root = join(this.home, 'blobs/droplets');
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries
      .filter((entry) => !entry.isDirectory() && entry.name !== '.stager')
      .map((entry) => join(entry.parentPath, entry.name));
  }

  /** Processes that this directory's name appears in: its stagers, runtimes, and what runs in their sandboxes. */
  processes(): string[] {
    const found: string[] = [];
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const facts = factsOf(pid);
      if (facts !== undefined && Number(pid) !== process.pid && facts.includes(this.dir))
        found.push(`${pid} ${facts}`);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** Arguments of a staging by the buildpack that does as it is told. */
export function stageArgs(
  app: string,
  told: Readonly<Record<string, string>> = {},
  more: readonly string[] = [],
): string[] {
  const env = Object.entries(told).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  return ['stage', app, '-b', TOLD, ...env, ...more];
}

/** Cgroups of the sandboxes of this staging, in every hierarchy. */
export function cgroupsOf(build: string, below = '/sys/fs/cgroup'): string[] {
  const found: string[] = [];
  for (const entry of directoriesIn(below)) {
    const path = join(below, entry.name);
    if (entry.name.includes(build)) found.push(path);
    else found.push(...cgroupsOf(build, path));
  }
  return found;
}

/** None of a directory that goes meanwhile, as cgroups of others do. */
function directoriesIn(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  } catch {
    return [];
  }
}

/** Objects of `--json` output, one a line. */
export function events(stdout: string): unknown[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}

async function names(path: string): Promise<string[]> {
  return await readdir(path).catch(() => []);
}

/** Command line, environment and root of a process, or undefined when it is gone. */
function factsOf(pid: string): string | undefined {
  try {
    // What is mounted on the machine while a staging lasts, every process of the machine sees.
    const apart = readlinkSync(`/proc/${pid}/ns/mnt`) !== readlinkSync('/proc/self/ns/mnt');
    const text = ['cmdline', 'environ', ...(apart ? ['mountinfo'] : [])].map((name) =>
      readFileSync(`/proc/${pid}/${name}`, 'utf8'),
    );
    return [...text, readlinkSync(`/proc/${pid}/cwd`)].join(' ').replaceAll('\0', ' ');
  } catch {
    return undefined;
  }
}
