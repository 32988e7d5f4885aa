/**
 * A process of the machine that has given up what it can without being root of anything: for the container of a CI job,
 * in which no OCI runtime can start another.
 *
 * It has a user of its own (where stager is root), no capability and no way to one, a filter of system calls,
 * Landlock where the kernel has it, and limits. It has no namespace: it sees the system and the network that stager
 * sees, and paths are those of the host (child/host-paths.ts). docs/sandbox.md says what that holds.
 */
import { randomUUID } from 'node:crypto';
import { chmod, copyFile, link, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StagerError } from '../../../words/errors.ts';
import type { Owner } from '../../host/owner.ts';
import { asidePath, sweepDead } from '../../host/process-label.ts';
import { makeDirectory } from '../child/files.ts';
import { onHost } from '../child/host-paths.ts';
import { HostRun } from '../child/host-run.ts';
import { outputPipes } from '../child/pipes.ts';
import { Runs } from '../child/runs.ts';
import { claimDirectory, firstSearchable, removeDirectory } from '../child/state-directory.ts';
import { Warden } from '../child/warden.ts';
import type { DiskLedger } from '../kernel/disk-watch.ts';
import type { ExitReport } from '../port/exit-report.ts';
import type { ApartWish, Mount, OnOutput, Sandbox, SandboxSpec } from '../port/sandbox.ts';
import { endAllOf } from './confine.ts';
import { Marks } from './mark.ts';
import { type ProcessPlan, planProcess } from './plan.ts';
import { ProcessTether } from './tether.ts';
import { type UserRange, userRange, usersOfProcesses } from './users.ts';

/** Below the directory of this process: a start list for each user that runs something, which ends all that it runs. */
export const ENDS = 'ends';

/** What all views of one process share. */
interface Shared {
  readonly plan: ProcessPlan;
  /** Directory of this process. */
  readonly home: string;
  readonly users: UserRange | undefined;
  readonly marks: Marks;
  readonly ledger: DiskLedger;
  readonly warden: Warden;
  /** How many runs each user has. */
  readonly busy: Map<number, number>;
}

/** See the top of the file. */
export class ProcessSandbox implements Sandbox {
  readonly kind = 'process';
  readonly description: string;
  readonly unenforced: Sandbox['unenforced'];
  readonly owner: Owner;
  readonly #shared: Shared;
  readonly #runs = new Runs<HostRun>();

  private constructor(shared: Shared, owner: Owner) {
    this.#shared = shared;
    this.owner = owner;
    const { user, landlock } = shared.plan.confinement;
    const who = user === undefined ? "the caller's own user" : 'a separate user for each staging';
    const files = landlock === 0 ? 'no Landlock' : `Landlock (version ${landlock})`;
    this.description = `a confined process: ${who}, no capabilities, a filter of system calls, ${files}`;
    this.unenforced = unenforced(shared.plan);
  }

  /** Finds out what works here: the sandbox, or why it is not available. */
  static async open(stateDir: string): Promise<ProcessSandbox | { readonly why: string }> {
    const home = await claimDirectory(stateDir, randomUUID().replaceAll('-', ''));
    await makeDirectory(join(home, 'runs'), 0o711);
    await makeDirectory(join(home, ENDS), 0o700);
    await makeDirectory(join(home, 'files'), 0o711);
    const plan = await planProcess(home);
    if ('why' in plan) {
      await removeDirectory(home);
      return plan;
    }
    const users = plan.confinement.user === undefined ? undefined : await userRange();
    const owner = (await users?.next()) ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const marks = new Marks();
    const warden = new Warden(CLEAR_UP, [home, String(marks.prefix), plan.starter]);
    const parts = { plan, home, users, marks, ledger: new Map(), warden, busy: new Map() };
    return new ProcessSandbox(parts, owner);
  }

  async apart({ near }: ApartWish = {}): Promise<Sandbox & AsyncDisposable> {
    const { users, busy } = this.#shared;
    const isOurs = near !== undefined && users?.has(near) === true && !busy.has(near.uid);
    const isFree = isOurs && !(await usersOfProcesses()).has(near.uid);
    const owner = isFree ? near : ((await users?.next()) ?? this.owner);
    return Object.assign(new ProcessSandbox(this.#shared, owner), { [Symbol.asyncDispose]: async () => {} });
  }

  /** Call it when no command is running. */
  async close(): Promise<void> {
    await removeDirectory(this.#shared.home);
    await this.#shared.warden.dismiss();
  }

  async run(
    spec: SandboxSpec,
    io: { readonly signal: AbortSignal; readonly onOutput: OnOutput },
  ): Promise<ExitReport> {
    if (io.signal.aborted) return { outcome: { kind: 'cancelled' }, durationMs: 0 };
    if (spec.rootfs.kind !== 'host') throw otherStack();
    if (spec.network === 'egress') throw noNamespace();
    const directory = join(this.#shared.home, 'runs', randomUUID());
    await makeDirectory(directory, 0o711);
    const { uid } = this.owner;
    const { busy } = this.#shared;
    busy.set(uid, (busy.get(uid) ?? 0) + 1);
    try {
      return await this.#runIn(directory, spec, io);
    } finally {
      const left = (busy.get(uid) ?? 1) - 1;
      if (left > 0) busy.set(uid, left);
      else busy.delete(uid);
      await removeDirectory(directory);
    }
  }

  async #runIn(
    directory: string,
    asked: SandboxSpec,
    io: { readonly signal: AbortSignal; readonly onOutput: OnOutput },
  ): Promise<ExitReport> {
    const { plan, marks, ledger, busy } = this.#shared;
    const user = plan.confinement.user === undefined ? undefined : this.owner;
    const spec = {
      ...asked,
      // Programs that are not told use the machine's /tmp, which is not for them.
      env: { TMPDIR: '/tmp', ...asked.env },
      mounts: await Promise.all(asked.mounts.map((mount) => this.#reachable(mount))),
    };
    // Users and Landlock keep stagings apart; where there is no Landlock, other users must not look in.
    if (user !== undefined)
      for (const { source, writable } of spec.mounts) if (writable) await chmod(source, 0o700);
    const tether = await ProcessTether.make({
      plan: { ...plan, confinement: { ...plan.confinement, user } },
      spec: onHost(spec),
      directory,
      mark: marks.next(),
      isAlone: () => busy.get(this.owner.uid) === 1,
      endsFile: user === undefined ? undefined : await this.#endsOf(user),
    });
    const run = new HostRun({
      spec: onHost(spec),
      ledger,
      tether,
      owner: this.owner,
      pipes: () => outputPipes(directory, this.owner),
      watchesMemory: true,
    });
    return await this.#runs.finish(spec.owner, run, io);
  }

  async signal(owner: string, signal: NodeJS.Signals): Promise<boolean> {
    return await this.#runs.signal(owner, signal);
  }

  /** Written once for each user; whoever clears up after us runs it as well. */
  async #endsOf(user: Owner): Promise<string> {
    const { home, plan } = this.#shared;
    const path = join(home, ENDS, String(user.uid));
    await writeFile(path, endAllOf(plan.confinement.arch, user).bytes(), { mode: 0o600 });
    return path;
  }

  /** A file that the script's user can't reach where it lies, such as a program below /root, gets a second name. */
  async #reachable(mount: Mount): Promise<Mount> {
    if (this.#shared.plan.confinement.user === undefined) return mount;
    if ((await firstSearchable([dirname(mount.source)])) !== undefined) return mount;
    const stats = await stat(mount.source);
    if (mount.writable || !stats.isFile()) throw unreachable(mount.source);
    const directory = join(this.#shared.home, 'files', `${stats.dev}-${stats.ino}`);
    const source = join(directory, 'file');
    await mkdir(directory, { recursive: true, mode: 0o711 });
    const isThere = await stat(source).then(
      () => true,
      () => false,
    );
    if (!isThere) {
      await sweepDead([directory]);
      const aside = asidePath(source);
      await link(mount.source, aside).catch(() => copyFile(mount.source, aside));
      await link(aside, source).catch(() => undefined);
      await rm(aside);
    }
    return { ...mount, source };
  }
}

/** Ends what a stager that was killed ran: first as each user all that is its, then whatever bears a mark. */
const CLEAR_UP = `
cd "$1" 2>/dev/null || exit 0
for list in ${ENDS}/*; do [ -f "$list" ] && "$3" "$list"; done
tries=0
while [ $tries -lt 200 ]; do
  found=no
  for file in $(grep -lE "^Max realtime timeout +$2" /proc/[0-9]*/limits); do
    pid=\${file#/proc/}
    kill -KILL "\${pid%/limits}" && found=yes
  done
  [ $found = yes ] || break
  tries=$((tries + 1))
done
exit 0
`;

function otherStack(): StagerError {
  return new StagerError('SANDBOX_FAILED', 'a confined process has no stack but the system that it runs on', {
    next: 'Use the stack `host`, or a machine on which an OCI runtime works; see `stager doctor`.',
  });
}

function noNamespace(): StagerError {
  return new StagerError('SANDBOX_FAILED', 'a confined process has no private network', {
    next: 'Choose --network host or --network none.',
  });
}

function unreachable(path: string): StagerError {
  return new StagerError('SANDBOX_FAILED', `the user that scripts run as can't reach ${path}`, {
    next: 'Put the data home (STAGER_HOME) in a place that every user can reach.',
    details: { path },
  });
}

function unenforced({ confinement }: ProcessPlan): Sandbox['unenforced'] {
  const { user, landlock, grants } = confinement;
  const shares = [
    ...(landlock === 0 ? ['files that its user may read or write'] : []),
    ...(user === undefined ? ["the caller's user"] : []),
    'the network and the list of processes',
  ];
  return [
    {
      limit: 'isolation',
      reason: `no OCI runtime works in this container, so scripts are confined processes of it and share ${shares.join(', ')}`,
    },
    { limit: 'memoryBytes', reason: 'it is only watched, five times a second, since there is no cgroup' },
    { limit: 'cpuShares', reason: 'there is no cgroup' },
    ...(grants.openFiles < USUAL_OPEN_FILES
      ? [{ limit: 'openFiles' as const, reason: `stager itself may open ${grants.openFiles} files only` }]
      : []),
  ];
}

/** As on a Cloud Foundry cell. */
const USUAL_OPEN_FILES = 16_384;
