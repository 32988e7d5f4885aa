/**
 * No isolation: commands run on the host as the caller. It is used only when asked for by name (select.ts).
 *
 * Paths inside do not exist on the host, so the target of every mount is replaced by its source wherever it stands
 * as a path in arguments, environment and working directory; links likewise. A script that has `/tmp/app` written
 * in its own text will not find it: that is one of the things that are given up (docs/sandbox.md).
 */
import { randomUUID } from 'node:crypto';
import { Warden } from '../child/warden.ts';
import type { DiskLedger } from '../kernel/disk-watch.ts';
import type { ExitReport } from '../port/exit-report.ts';
import type { OnOutput, Sandbox, SandboxSpec } from '../port/sandbox.ts';
import { NoRun } from './run.ts';

/** See the top of the file. */
export class NoSandbox implements Sandbox {
  readonly kind = 'none';
  readonly description = 'no isolation: commands run on this machine as the caller';
  readonly unenforced: Sandbox['unenforced'] = [
    { limit: 'isolation', reason: 'commands see the machine: its files, processes and network' },
    { limit: 'memoryBytes', reason: 'there is no cgroup' },
    { limit: 'pids', reason: 'there is no cgroup' },
    { limit: 'cpuShares', reason: 'there is no cgroup' },
    { limit: 'openFiles', reason: "the caller's own limit holds" },
  ];
  readonly owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  readonly #ledger: DiskLedger = new Map();
  readonly #running = new Map<string, Set<NoRun>>();
  /** In the environment of all that this process runs. */
  readonly #marker = randomUUID();
  readonly #warden = new Warden(KILL_MARKED, [this.#marker]);

  /** Call it when no command is running. */
  async close(): Promise<void> {
    await this.#warden.dismiss();
  }

  async run(
    spec: SandboxSpec,
    io: { readonly signal: AbortSignal; readonly onOutput: OnOutput },
  ): Promise<ExitReport> {
    if (io.signal.aborted) return { outcome: { kind: 'cancelled' }, durationMs: 0 };
    const run = new NoRun(onHost(spec), { ledger: this.#ledger, marker: `${this.#marker}/${randomUUID()}` });
    const runs = this.#running.get(spec.owner) ?? new Set();
    this.#running.set(spec.owner, runs.add(run));
    try {
      return await run.finish(io);
    } finally {
      runs.delete(run);
      if (runs.size === 0) this.#running.delete(spec.owner);
    }
  }

  async signal(owner: string, signal: NodeJS.Signals): Promise<boolean> {
    let sent = false;
    for (const run of this.#running.get(owner) ?? []) if (run.signal(signal)) sent = true;
    return sent;
  }
}

/** Ends what a stager that was killed ran: whoever has its marker, until nobody is found. */
const KILL_MARKED = `
tries=0
while [ $tries -lt 200 ]; do
  found=no
  for file in $(grep -lzF "$1" /proc/[0-9]*/environ); do
    pid=\${file#/proc/}
    kill -KILL "\${pid%/environ}" && found=yes
  done
  [ $found = yes ] || break
  tries=$((tries + 1))
done
`;

/** The spec with the host's paths instead of those inside. */
export function onHost(spec: SandboxSpec): SandboxSpec {
  const map = hostPaths(spec);
  const [program, ...args] = spec.argv;
  return {
    ...spec,
    argv: [map(program), ...args.map(map)],
    env: Object.fromEntries(Object.entries(spec.env).map(([name, value]) => [name, map(value)])),
    cwd: map(spec.cwd),
  };
}

function hostPaths(spec: SandboxSpec): (text: string) => string {
  const mounts = spec.mounts.map(({ source, target }) => [target, source] as const);
  const byLength = [...mounts].sort(([a], [b]) => b.length - a.length);
  const sourceOf = (path: string): string => {
    const found = byLength.find(([target]) => path === target || path.startsWith(`${target}/`));
    return found === undefined ? path : found[1] + path.slice(found[0].length);
  };
  const links = Object.entries(spec.links ?? {}).map(
    ([inside, target]) => [inside, sourceOf(target)] as const,
  );
  const all = new Map([...byLength, ...links].sort(([a], [b]) => b.length - a.length));
  if (all.size === 0) return (text) => text;
  const names = [...all.keys()].map((path) => path.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  // Only where a path can begin and only whole components: not `/tmp` in `/var/tmp` or `/tmpfs`.
  const pattern = new RegExp(`(?<![\\w./-])(?:${names.join('|')})(?![\\w.-])`, 'g');
  return (text) => text.replaceAll(pattern, (path) => all.get(path) ?? path);
}
