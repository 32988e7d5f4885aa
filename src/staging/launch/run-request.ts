/** What to run: the request from the caller, and the plan made from it. */

import type { NetworkKind } from '../../machine/sandbox/port/network.ts';
import type { Rootfs } from '../../machine/sandbox/port/sandbox.ts';
import { StagerError } from '../../words/errors.ts';
import type { Guid } from '../../words/ids.ts';
import type { ResultSidecar } from '../../words/result.ts';
import type { Redact } from '../logs/redact.ts';
import type { ApplicationFacts } from '../vcap/application.ts';
import type { Services } from '../vcap/services.ts';
import type { HealthCheck } from './health.ts';
import type { RunDirs } from './layout.ts';
import type { LaunchInfo } from './staging-info.ts';

/** A long-running process of the app, or one command in its environment. */
export type RunTarget =
  | {
      readonly kind: 'process';
      /** Default `web`. */
      readonly type?: string;
      /** Instead of the droplet's own command for the type. */
      readonly command?: string;
    }
  /** No port, no health check, no sidecars; see {@link import('./start-script.ts').shellCommand}. */
  | { readonly kind: 'task'; readonly name?: string; readonly command: string };

/** Sizes in MB, times in milliseconds. */
export interface RunRequest {
  /** Identifies the run to the sandbox. */
  readonly guid: Guid;
  /** The droplet is unpacked in `dirs.home`. */
  readonly dirs: RunDirs;
  readonly app: Omit<ApplicationFacts, 'limits'>;
  readonly target: RunTarget;
  /** Process type → command, from the staging's result; staging_info.yml knows web only. */
  readonly processTypes?: Readonly<Record<string, string>>;
  /** From the staging's result; those for other process types are left out. */
  readonly sidecars?: readonly ResultSidecar[];
  /** 0 or absent: any free port. */
  readonly port?: number;
  /** The app's variables; the caller checked their names (vcap/names.ts). */
  readonly env: Readonly<Record<string, string>>;
  readonly services?: Services;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly healthCheck?: HealthCheck;
  readonly rootfs: Rootfs;
  readonly network: NetworkKind;
  /** See RunWish. */
  readonly expose?: boolean;
  /** Applied to every log line; default: lines are left as the app wrote them. */
  readonly redact?: Redact;
}

/** Linux takes 131,072 bytes for one argument, and quoting can make a command four times as long. */
const MAX_COMMAND_BYTES = 24 * 1024;

/** One command of the plan. */
export interface PlannedCommand {
  readonly command: string;
  readonly memoryMb: number;
}

/** What will be started. */
export interface RunPlan {
  readonly main: PlannedCommand;
  readonly sidecars: readonly (PlannedCommand & { readonly name: string })[];
}

/**
 * Decides what to start. Memory of sidecars comes out of the process's; a sidecar without a figure of its own
 * shares that of the process.
 *
 * @throws StagerError NO_START_COMMAND naming the process types there are, USAGE when sidecars need all memory or
 * a command can't be passed to a program.
 */
export function planRun(request: RunRequest, info: LaunchInfo): RunPlan {
  const { target, memoryMb } = request;
  if (target.kind === 'task') return { main: { command: usable(target.command), memoryMb }, sidecars: [] };
  const type = target.type ?? 'web';
  const beside = (request.sidecars ?? []).filter((sidecar) => sidecar.process_types.includes(type));
  const taken = beside.reduce((sum, sidecar) => sum + (sidecar.memory ?? 0), 0);
  if (taken >= memoryMb) throw noMemoryLeft(type, taken, memoryMb);
  const left = memoryMb - taken;
  return {
    main: { command: usable(startCommand(request, type, info)), memoryMb: left },
    sidecars: beside.map(({ name, command, memory }) => ({
      name,
      command: usable(command),
      memoryMb: memory ?? left,
    })),
  };
}

/** Given for this run > the droplet's process type > start command of the staging info, for web. */
function startCommand(request: RunRequest, type: string, info: LaunchInfo): string {
  const { target, processTypes = {} } = request;
  const own = Object.hasOwn(processTypes, type) ? processTypes[type] : undefined;
  const known = [target.command, own, type === 'web' ? info.startCommand : undefined];
  const command = known.find((candidate) => candidate !== undefined && candidate.trim() !== '');
  if (command !== undefined) return command;
  const types = Object.keys(processTypes);
  const there =
    own !== undefined
      ? 'the type exists, but its command is empty'
      : types.length === 0
        ? 'the droplet names no process types'
        : `it has ${types.join(', ')}`;
  throw new StagerError('NO_START_COMMAND', `the droplet has no command for process type ${type}: ${there}`, {
    next: 'Choose another --process, give a command after --, or add the type to the Procfile and stage again.',
    phase: 'launch',
    details: { type, types },
  });
}

/** The command is one argument of a program, together with the launcher's script. */
function usable(command: string): string {
  const bytes = Buffer.byteLength(command);
  if (bytes <= MAX_COMMAND_BYTES && !command.includes('\0')) return command;
  const why =
    bytes > MAX_COMMAND_BYTES ? `has ${bytes} bytes, the limit is ${MAX_COMMAND_BYTES}` : 'holds NUL';
  throw new StagerError('USAGE', `the command ${why}`, {
    next: 'Put it in a script of the app, and run that.',
    phase: 'launch',
    details: { bytes, limitBytes: MAX_COMMAND_BYTES },
  });
}

function noMemoryLeft(type: string, taken: number, memoryMb: number): StagerError {
  return new StagerError('USAGE', `the sidecars of ${type} need ${taken} MB of its ${memoryMb} MB`, {
    next: `Raise --memory above ${taken}M.`,
    details: { type, sidecarsMb: taken, limitMb: memoryMb },
  });
}
