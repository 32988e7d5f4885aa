/**
 * Runs an unpacked droplet: the process with its sidecars, or one task, each in a sandbox of its own over the
 * same directories. This is what launcher, executor and health check do on a Cloud Foundry cell.
 */

import type { OwnNetwork } from '../../machine/sandbox/port/network.ts';
import { MAX_FILES, type Sandbox, type SandboxSpec } from '../../machine/sandbox/port/sandbox.ts';
import type { Clock } from '../../words/clock.ts';
import { throwIfCancelled } from '../../words/errors.ts';
import { newGuid } from '../../words/ids.ts';
import { MEBIBYTE } from '../../words/units.ts';
import { DEFAULT_FDS } from '../vcap/application.ts';
import { type InstanceFacts, processEnvironment } from './environment.ts';
import { type EmitRun, type LogSource, processSource, sidecarSource, taskSource } from './events.ts';
import { type CompleteHealthCheck, completeHealthCheck } from './health.ts';
import { INSIDE_POLL_MS, insideProbe } from './inside-probe.ts';
import { Instance } from './instance.ts';
import { type Launcher, type LauncherIo, launcherOf, type Prepared } from './launcher.ts';
import { runMounts } from './layout.ts';
import { choosePort } from './port.ts';
import { hostProbe, type Probe, publishedProbe } from './probe.ts';
import { runBefore } from './run-before.ts';
import { type PlannedCommand, planRun, type RunRequest } from './run-request.ts';
import { type DropletRun, supervise } from './supervise.ts';

/** What {@link runProcesses} works with. */
export interface ProcessPorts {
  readonly sandbox: Sandbox;
  readonly clock: Clock;
  /** Fires: the run is stopped as by `stop()`. */
  readonly signal: AbortSignal;
  readonly emit: EmitRun;
  /** Default: from the host's loopback interface, or from inside where the run has a network of its own. */
  readonly probe?: Probe;
}

/** Processes and threads of one sandbox. */
const PIDS = 1024;

/**
 * Starts the droplet and returns a handle as soon as its sandboxes are being started.
 *
 * @throws StagerError DROPLET_INVALID, NO_START_COMMAND, PORT_IN_USE, USAGE, CANCELLED before anything is
 * started. What happens later is told by the handle.
 */
export async function runProcesses(request: RunRequest, ports: ProcessPorts): Promise<DropletRun> {
  throwIfCancelled(ports.signal);
  const launcher = await launcherOf(request.dirs, {
    owner: ports.sandbox.owner,
    run: before(request, ports),
  });
  const known = { ...request, processTypes: { ...launcher.processTypes, ...request.processTypes } };
  return request.target.kind === 'task'
    ? await startTask(known, ports, launcher)
    : await startProcess(known, ports, { launcher, type: request.target.type ?? 'web' });
}

async function startTask(request: RunRequest, ports: ProcessPorts, launcher: Launcher): Promise<DropletRun> {
  const { main } = planRun(request, launcher.info);
  const source = taskSource(request.target.kind === 'task' ? (request.target.name ?? 'run') : 'run');
  const input = { what: main, source, launcher, owner: request.guid };
  const task = start(request, ports, await prepared(request, input));
  return supervise({ main: task, sidecars: [], ...ports });
}

async function startProcess(
  request: RunRequest,
  ports: ProcessPorts,
  { launcher, type }: { readonly launcher: Launcher; readonly type: string },
): Promise<DropletRun> {
  const plan = planRun(request, launcher.info);
  if (plan.sidecars.length > 0 && request.network === 'none' && !sharesLoopback(request, ports)) {
    warn(
      ports,
      'sidecars-without-network',
      'with --network none here, sidecars and process do not share a localhost',
    );
  }
  const check = checkFor(request, ports, type);
  const port = await choosePort(request.port, request.network);
  if (request.network === 'egress')
    await ownNetwork(ports).publish(port, request.expose === true ? 'everywhere' : 'loopback');
  throwIfCancelled(ports.signal);
  const instance: InstanceFacts = {
    guid: newGuid(),
    index: 0,
    processGuid: request.app.guid,
    processType: type,
    port,
  };
  const shared = { launcher, instance };
  const main = await prepared(request, {
    ...shared,
    what: plan.main,
    type,
    source: processSource(type),
    owner: request.guid,
  });
  const beside: StartInput[] = [];
  for (const sidecar of plan.sidecars) {
    const input = {
      ...shared,
      what: sidecar,
      source: sidecarSource(type, sidecar.name),
      owner: newGuid(),
      ...(sharesLoopback(request, ports) ? { networkOf: request.guid } : {}),
    };
    beside.push(await prepared(request, input));
  }
  return supervise({
    main: start(request, ports, main),
    sidecars: beside.map((input) => start(request, ports, input)),
    health: { check, port, probe: probeFor(request, ports) },
    ...ports,
  });
}

/** A run without a network can't be reached from here: it is checked from inside, or by being alive. */
function checkFor(request: RunRequest, ports: ProcessPorts, type: string): CompleteHealthCheck {
  const check = completeHealthCheck(type, request.healthCheck);
  if (request.network !== 'none' || check.type === 'process') return check;
  if (sharesLoopback(request, ports)) {
    return { ...check, startupPollMs: Math.max(check.startupPollMs, INSIDE_POLL_MS) };
  }
  const message = `no ${check.type} health check with --network none here: the process is healthy while it is alive`;
  warn(ports, 'health-check-without-network', message);
  return { ...check, type: 'process' };
}

function warn(ports: ProcessPorts, code: string, message: string): void {
  ports.emit({ type: 'warning', at: new Date(ports.clock.now()).toISOString(), code, message });
}

function probeFor({ rootfs, guid, dirs, ...request }: RunRequest, ports: ProcessPorts): Probe {
  if (ports.probe !== undefined) return ports.probe;
  if (request.network === 'egress') return publishedProbe(ownNetwork(ports));
  if (!sharesLoopback(request, ports)) return hostProbe;
  return insideProbe({ sandbox: ports.sandbox, networkOf: guid, rootfs, diskRoot: dirs.tmp });
}

function ownNetwork({ sandbox }: ProcessPorts): OwnNetwork {
  if (sandbox.ownNetwork !== undefined) return sandbox.ownNetwork;
  throw new Error('unreachable: the run has a network of its own, and its sandbox has none');
}

/** How commands of this run reach each other's loopback interface, where the host's is not shared. */
function sharesLoopback({ network }: Pick<RunRequest, 'network'>, { sandbox }: ProcessPorts): boolean {
  return network === 'none' && sandbox.sharesNetworks === true;
}

interface ToPrepare {
  readonly what: PlannedCommand;
  /** Absent for tasks and sidecars. */
  readonly type?: string;
  readonly source: LogSource;
  readonly launcher: Launcher;
  readonly owner: string;
  /** Absent for a task. */
  readonly instance?: InstanceFacts;
  /** Owner of the command whose network it shares. */
  readonly networkOf?: string;
}

type StartInput = ToPrepare & { readonly prepared: Prepared };

/** With program and environment, for which something of the droplet may have to run first. */
async function prepared(request: RunRequest, input: ToPrepare): Promise<StartInput> {
  const { what, type, source, launcher, instance } = input;
  const { services, env, app, guid, memoryMb, diskMb } = request;
  const made = await launcher.prepare({
    ...what,
    source,
    announce: instance !== undefined,
    ...(type !== undefined && { type }),
    env: processEnvironment({
      env,
      app,
      memoryMb,
      diskMb,
      processMemoryMb: what.memoryMb,
      version: guid,
      ...(services === undefined ? {} : { services }),
      ...(instance === undefined ? {} : { instance }),
    }),
  });
  return { ...input, prepared: made };
}

/** What a launcher runs before a command, with its limits and where it will be. */
function before(request: RunRequest, ports: ProcessPorts): LauncherIo['run'] {
  return async (made, { source, memoryMb, place }) => {
    const spec = specOf(request, { prepared: made, what: { memoryMb }, launcher: place, owner: newGuid() });
    return await runBefore(source, spec, { ...ports, redact: redactOf(request) });
  };
}

const redactOf = ({ redact }: RunRequest) => redact ?? ((text: string) => text);

function start(request: RunRequest, ports: ProcessPorts, input: StartInput): Instance {
  const { source, what, instance } = input;
  ports.emit({
    type: 'run-started',
    at: new Date(ports.clock.now()).toISOString(),
    source,
    command: what.command,
    ...(instance === undefined ? {} : { port: instance.port }),
  });
  return new Instance(source, specOf(request, input), { ...ports, redact: redactOf(request) });
}

interface SpecInput extends Pick<StartInput, 'prepared' | 'owner' | 'networkOf'> {
  readonly what: Pick<PlannedCommand, 'memoryMb'>;
  readonly launcher: Pick<Launcher, 'cwd' | 'links'>;
}

function specOf(
  request: RunRequest,
  { what, prepared: made, launcher, owner, networkOf }: SpecInput,
): SandboxSpec {
  const { dirs, diskMb } = request;
  return {
    owner,
    argv: made.argv,
    env: made.env,
    cwd: launcher.cwd,
    rootfs: request.rootfs,
    mounts: runMounts(dirs),
    links: launcher.links,
    diskRoot: dirs.root,
    limits: {
      memoryBytes: what.memoryMb * MEBIBYTE,
      pids: PIDS,
      diskBytes: diskMb * MEBIBYTE,
      files: MAX_FILES,
      // A run ends when its process does.
      wallMs: Number.POSITIVE_INFINITY,
      openFiles: DEFAULT_FDS,
    },
    network: request.network,
    ...(networkOf === undefined ? {} : { networkOf }),
  };
}
