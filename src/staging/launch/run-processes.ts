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
import { prepareRun, RUN_INSIDE, RUN_LINKS, runMounts } from './layout.ts';
import { choosePort } from './port.ts';
import { hostProbe, type Probe, publishedProbe } from './probe.ts';
import { type PlannedCommand, planRun, type RunRequest } from './run-request.ts';
import { type LaunchInfo, readLaunchInfo } from './staging-info.ts';
import { launchArgv } from './start-script.ts';
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
  await prepareRun(request.dirs, ports.sandbox.owner);
  const info = await readLaunchInfo(request.dirs.home);
  return request.target.kind === 'task'
    ? startTask(request, ports, info)
    : await startProcess(request, ports, { info, type: request.target.type ?? 'web' });
}

function startTask(request: RunRequest, ports: ProcessPorts, info: LaunchInfo): DropletRun {
  const { main } = planRun(request, info);
  const source = taskSource(request.target.kind === 'task' ? (request.target.name ?? 'run') : 'run');
  const task = start(request, ports, { what: main, source, info, owner: request.guid });
  return supervise({ main: task, sidecars: [], ...ports });
}

async function startProcess(
  request: RunRequest,
  ports: ProcessPorts,
  { info, type }: { readonly info: LaunchInfo; readonly type: string },
): Promise<DropletRun> {
  const plan = planRun(request, info);
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
  const main = start(request, ports, {
    what: plan.main,
    source: processSource(type),
    info,
    owner: request.guid,
    instance,
  });
  const sidecars = plan.sidecars.map((sidecar) =>
    start(request, ports, {
      what: sidecar,
      source: sidecarSource(type, sidecar.name),
      info,
      owner: newGuid(),
      instance,
      ...(sharesLoopback(request, ports) ? { networkOf: request.guid } : {}),
    }),
  );
  return supervise({
    main,
    sidecars,
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

interface StartInput {
  readonly what: PlannedCommand;
  readonly source: LogSource;
  readonly info: LaunchInfo;
  readonly owner: string;
  /** Absent for a task. */
  readonly instance?: InstanceFacts;
  /** Owner of the command whose network it shares. */
  readonly networkOf?: string;
}

function start(request: RunRequest, ports: ProcessPorts, input: StartInput): Instance {
  const { source, what, instance } = input;
  ports.emit({
    type: 'run-started',
    at: new Date(ports.clock.now()).toISOString(),
    source,
    command: what.command,
    ...(instance === undefined ? {} : { port: instance.port }),
  });
  const redact = request.redact ?? ((text: string) => text);
  return new Instance(source, specOf(request, input), { ...ports, redact });
}

function specOf(request: RunRequest, { what, info, owner, instance, networkOf }: StartInput): SandboxSpec {
  const { dirs, memoryMb, diskMb, services, env, app, guid } = request;
  const { command } = what;
  const prefix = info.entrypointPrefix === undefined ? {} : { entrypointPrefix: info.entrypointPrefix };
  return {
    owner,
    argv: launchArgv({ command, announce: instance !== undefined, ...prefix }),
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
    cwd: RUN_INSIDE.home,
    rootfs: request.rootfs,
    mounts: runMounts(dirs),
    links: RUN_LINKS,
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
