/** Runs the scripts of Cloud Native Buildpacks, each in a sandbox of its own. */
import { chmod, lchown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { needsChown, type Owner } from '../../machine/host/owner.ts';
import type { ExitOutcome, ExitReport } from '../../machine/sandbox/port/exit-report.ts';
import type { NetworkKind } from '../../machine/sandbox/port/network.ts';
import type { Mount, Rootfs, Sandbox, SandboxLimits } from '../../machine/sandbox/port/sandbox.ts';
import type { Clock } from '../../words/clock.ts';
import { throwIfCancelled } from '../../words/errors.ts';
import type { PhaseRef, Report } from '../../words/events.ts';
import { type Line, LineSplitter } from '../logs/lines.ts';
import type { Redact } from '../logs/redact.ts';
import { type CnbDescriptor, escapedId } from './cnb-descriptor.ts';
import type { CnbDirectory } from './cnb-directory.ts';
import type { CnbEnvironment } from './cnb-env.ts';
import { CNB_INSIDE, type CnbHome } from './cnb-home.ts';

/** Host paths of one build. All but `platform` are below `root`, whose use the disk limit is for. */
export interface CnbPlaces {
  readonly root: string;
  readonly home: CnbHome;
  /** `/tmp` inside. */
  readonly tmp: string;
  /** Plans; a script sees the directory of its own. */
  readonly plans: string;
  /** `/platform` inside, read only. */
  readonly platform: string;
}

/** The distribution of a stack, as far as it says. */
export interface CnbDistro {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
}

/** What all scripts of a build share. */
export interface CnbScriptPorts {
  readonly sandbox: Sandbox;
  readonly rootfs: Rootfs;
  readonly places: CnbPlaces;
  readonly distro: CnbDistro;
  readonly limits: SandboxLimits;
  readonly network: NetworkKind;
  readonly owner: string;
  readonly report: Report;
  readonly clock: Clock;
  readonly redact: Redact;
  /** Takes what each script used. */
  readonly onPeaks: (report: ExitReport) => void;
  readonly signal: AbortSignal;
}

/** One script. */
export interface CnbCall {
  readonly phase: PhaseRef;
  readonly buildpack: CnbDirectory;
  readonly script: 'detect' | 'build';
  readonly args: readonly string[];
  readonly env: CnbEnvironment;
  readonly plan: PlanFile;
}

/** Where a buildpack is seen. */
export const insideRootOf = ({ id, version }: CnbDescriptor): string =>
  `${CNB_INSIDE.buildpacks}/${escapedId(id)}/${version}`;

/** Runs it to its end; how it ended is a value. */
export async function runCnbScript(call: CnbCall, ports: CnbScriptPorts): Promise<ExitOutcome> {
  const { places, sandbox, signal } = ports;
  throwIfCancelled(signal);
  const root = insideRootOf(call.buildpack.descriptor);
  const [stdout, stderr] = [splitter('stdout', call, ports), splitter('stderr', call, ports)];
  const mounts: Mount[] = [
    { source: places.tmp, target: '/tmp', writable: true },
    { source: places.home.root, target: CNB_INSIDE.home, writable: true },
    { source: call.plan.directory, target: call.plan.insideDirectory, writable: true },
    { source: places.platform, target: CNB_INSIDE.platform, writable: false },
    { source: call.buildpack.root, target: root, writable: false },
  ];
  const report = await sandbox.run(
    {
      owner: ports.owner,
      argv: [`${root}/bin/${call.script}`, ...call.args],
      env: Object.fromEntries(call.env),
      cwd: CNB_INSIDE.app,
      rootfs: ports.rootfs,
      mounts,
      diskRoot: places.root,
      limits: ports.limits,
      network: ports.network,
    },
    { signal, onOutput: (stream, chunk) => (stream === 'stdout' ? stdout : stderr).write(chunk) },
  );
  stdout.end();
  stderr.end();
  ports.onPeaks(report);
  throwIfCancelled(signal);
  return report.outcome;
}

function splitter(
  stream: 'stdout' | 'stderr',
  { phase }: CnbCall,
  { clock, report, redact }: CnbScriptPorts,
): LineSplitter {
  const onLine = ({ text, partial }: Line): void => {
    report({ type: 'output', phase, stream, text: redact(text), ...(partial && { partial }) });
  };
  return new LineSplitter({ clock, onLine });
}

/** The variables that every script of a buildpack gets beside its environment. */
export function contractVariables(
  descriptor: CnbDescriptor,
  more: Readonly<Record<string, string>>,
  { name, version }: CnbDistro,
): Record<string, string> {
  const { api } = descriptor;
  return {
    CNB_BUILDPACK_DIR: insideRootOf(descriptor),
    ...(api >= 8 && { CNB_PLATFORM_DIR: CNB_INSIDE.platform, ...more }),
    ...(api >= 10 && {
      CNB_TARGET_OS: 'linux',
      CNB_TARGET_ARCH: ARCHITECTURES[process.arch] ?? process.arch,
      ...(name !== undefined && { CNB_TARGET_DISTRO_NAME: name }),
      ...(version !== undefined && { CNB_TARGET_DISTRO_VERSION: version }),
    }),
    ...(api >= 12 && { CNB_EXEC_ENV: 'production' }),
  };
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** A plan, in a directory of its own that only its script sees. */
export interface PlanFile {
  readonly directory: string;
  readonly insideDirectory: string;
  /** The file inside. */
  readonly inside: string;
}

/** A plan file that the script may write. */
export async function planFile(
  name: string,
  text: string,
  { places, sandbox }: Pick<CnbScriptPorts, 'places' | 'sandbox'>,
): Promise<PlanFile> {
  const directory = join(places.plans, name);
  await mkdir(directory);
  await chmod(directory, 0o755);
  const host = join(directory, 'plan.toml');
  await writeFile(host, text, { mode: 0o600, flag: 'wx' });
  await give(directory, sandbox.owner);
  await give(host, sandbox.owner);
  const insideDirectory = `${CNB_INSIDE.plans}/${name}`;
  return { directory, insideDirectory, inside: `${insideDirectory}/plan.toml` };
}

async function give(path: string, owner: Owner): Promise<void> {
  if (needsChown(owner)) await lchown(path, owner.uid, owner.gid);
}
