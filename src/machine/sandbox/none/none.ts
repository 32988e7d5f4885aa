/**
 * No isolation: commands run on the host as the caller. It is used only when asked for by name (select.ts).
 *
 * Paths inside become those of the host (child/host-paths.ts).
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onHost } from '../child/host-paths.ts';
import { HostRun, type Tether } from '../child/host-run.ts';
import { outputPipes } from '../child/pipes.ts';
import { Runs } from '../child/runs.ts';
import { removeDirectory } from '../child/state-directory.ts';
import { Warden } from '../child/warden.ts';
import type { DiskLedger } from '../kernel/disk-watch.ts';
import { markedPids } from '../kernel/processes.ts';
import type { ExitReport } from '../port/exit-report.ts';
import type { OnOutput, Sandbox, SandboxSpec } from '../port/sandbox.ts';

/** Set in the environment of everything that a command starts: how its daemons are found again. */
const MARKER = 'STAGER_SANDBOX_RUN';

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
  readonly #runs = new Runs<HostRun>();
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
    const mapped = onHost(spec);
    const run = new HostRun({
      spec: mapped,
      ledger: this.#ledger,
      owner: this.owner,
      tether: marked(mapped, `${this.#marker}/${randomUUID()}`),
      pipes: async () => {
        // Open pipes need no name, so none is left however this process ends.
        const directory = await mkdtemp(join(tmpdir(), 'stager-pipes-'));
        return await outputPipes(directory, this.owner).finally(() => removeDirectory(directory));
      },
      watchesMemory: false,
    });
    return await this.#runs.finish(spec.owner, run, io);
  }

  async signal(owner: string, signal: NodeJS.Signals): Promise<boolean> {
    return await this.#runs.signal(owner, signal);
  }
}

/** The command as it is, with a variable that its children inherit. */
function marked({ argv, env, cwd }: SandboxSpec, marker: string): Tether {
  const [program, ...args] = argv;
  const variables = { ...env, [MARKER]: marker };
  return {
    command: { program, args, options: { cwd, env: variables } },
    members: () => markedPids(`${MARKER}=${marker}`),
  };
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
