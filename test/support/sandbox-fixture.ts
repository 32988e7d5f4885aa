/** A real OCI sandbox with a workspace, for tests. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { EgressWish } from '../../src/machine/network/wish.ts';
import { planCgroups } from '../../src/machine/sandbox/kernel/cgroups.ts';
import type { ExitReport } from '../../src/machine/sandbox/port/exit-report.ts';
import type { Sandbox, SandboxLimits, SandboxSpec } from '../../src/machine/sandbox/port/sandbox.ts';
import { type Selection, selectSandbox } from '../../src/machine/sandbox/select.ts';

export const ROOMY: SandboxLimits = {
  memoryBytes: 512 * 1024 * 1024,
  pids: 256,
  diskBytes: 1024 * 1024 * 1024,
  wallMs: 60_000,
  openFiles: 1024,
};

/** What a command wrote and how it ended. */
export interface Ran {
  readonly report: ExitReport;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** Both, as text. */
  readonly text: string;
}

/** A part of a spec; `script` runs in /bin/bash. */
export interface Command extends Partial<Omit<SandboxSpec, 'limits'>> {
  readonly script?: string;
  readonly limits?: Partial<SandboxLimits>;
  readonly signal?: AbortSignal;
  /** Another sandbox than the staging's. */
  readonly inside?: Pick<Sandbox, 'run'>;
  /** Sees everything that has come so far. */
  readonly onText?: (text: string) => void;
}

export class SandboxFixture {
  readonly home: string;
  readonly selection: Selection;
  /** As a staging has it. */
  readonly sandbox: Sandbox & Partial<AsyncDisposable>;

  private constructor(home: string, selection: Selection, sandbox: Sandbox) {
    this.home = home;
    this.selection = selection;
    this.sandbox = sandbox;
  }

  /** @param policies commands may have the network `egress` with these rules */
  static async open(
    wanted: 'oci' | 'process' = 'oci',
    policies?: EgressWish['policies'],
  ): Promise<SandboxFixture> {
    const home = mkdtempSync('/var/tmp/stager-sandbox-test-');
    // The runtime works as an unprivileged user and has to pass through.
    chmodSync(home, 0o711);
    const selection = await selectSandbox({
      wanted,
      stateDir: join(home, 'state'),
      ...(policies !== undefined && { egress: async () => ({ policies, strict: false }) }),
    });
    const { sandbox } = selection;
    return new SandboxFixture(
      home,
      selection,
      (await sandbox.apart?.(policies && { egress: 'staging' })) ?? sandbox,
    );
  }

  async close(): Promise<void> {
    await this.sandbox[Symbol.asyncDispose]?.();
    await this.selection.close();
    rmSync(this.home, { recursive: true, force: true });
  }

  /** A fresh directory that the sandbox's user owns. */
  workspace(): string {
    const path = mkdtempSync(join(this.home, 'workspace-'));
    for (const each of [path, join(path, 'app'), join(path, 'home')]) {
      mkdirSync(each, { recursive: true });
      chownSync(each, this.sandbox.owner.uid, this.sandbox.owner.gid);
    }
    return path;
  }

  async run(command: Command): Promise<Ran> {
    const { script, limits, signal, onText, inside = this.sandbox, ...spec } = command;
    const workspace = spec.diskRoot ?? this.workspace();
    const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    let text = '';
    const report = await inside.run(
      {
        owner: 'test',
        argv: ['/bin/bash', '-c', script ?? 'true'],
        env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/home/vcap' },
        cwd: '/tmp/app',
        rootfs: { kind: 'host' },
        mounts: [{ source: workspace, target: '/tmp', writable: true }],
        links: { '/home/vcap': '/tmp/home', '/app': '/tmp/app' },
        diskRoot: workspace,
        network: 'none',
        ...spec,
        limits: { ...ROOMY, ...limits },
      },
      {
        signal: signal ?? new AbortController().signal,
        onOutput: (stream, chunk) => {
          chunks[stream].push(chunk);
          text += chunk.toString('utf8');
          onText?.(text);
        },
      },
    );
    return { report, stdout: Buffer.concat(chunks.stdout), stderr: Buffer.concat(chunks.stderr), text };
  }
}

/** Names of the cgroups that still exist for an owner's commands, in every hierarchy. */
export async function cgroupsOf(owner: string): Promise<string[]> {
  const { everywhere } = await planCgroups();
  const names = everywhere.flatMap((directory) => readdirSync(directory));
  return names.filter((name) => name.startsWith(`stager-${owner}-`));
}
