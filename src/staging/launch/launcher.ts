/** How the commands of a droplet are started: as Cloud Foundry's launcher does, or that of Cloud Native Buildpacks. */
import type { Owner } from '../../machine/host/owner.ts';
import type { ExitReport } from '../../machine/sandbox/port/exit-report.ts';
import { cnbLauncher } from './cnb-launcher.ts';
import type { LogSource } from './events.ts';
import { prepareRun, RUN_INSIDE, RUN_LINKS, type RunDirs } from './layout.ts';
import { type LaunchInfo, readLaunchInfo } from './staging-info.ts';
import { launchArgv } from './start-script.ts';

/** One command that is to be started. */
export interface ToLaunch {
  readonly command: string;
  readonly memoryMb: number;
  readonly source: LogSource;
  /** Absent for tasks and sidecars. */
  readonly type?: string;
  /** Say when the scripts and the command start. */
  readonly announce: boolean;
  /** What the platform gives it. */
  readonly env: Readonly<Record<string, string>>;
}

/** Program, arguments and the complete environment. */
export interface Prepared {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

/** What a launcher works with. */
export interface LauncherIo {
  readonly owner: Owner;
  /** Runs something before `what`, where and as that will run, to its end. */
  readonly run: (
    prepared: Prepared,
    where: Pick<ToLaunch, 'memoryMb' | 'source'> & { readonly place: LaunchPlace },
  ) => Promise<ExitReport>;
}

/** Where commands of a droplet start. */
export interface LaunchPlace {
  readonly cwd: string;
  readonly links: Readonly<Record<string, string>>;
}

/** The launcher of one droplet. */
export interface Launcher extends LaunchPlace {
  /** Type → command, as far as the droplet itself says. */
  readonly processTypes: Readonly<Record<string, string>>;
  readonly info: LaunchInfo;
  prepare(what: ToLaunch): Promise<Prepared>;
}

/** The launcher for what was unpacked into `dirs`. @throws StagerError DROPLET_INVALID. */
export async function launcherOf(dirs: RunDirs, io: LauncherIo): Promise<Launcher> {
  const cnb = await cnbLauncher(dirs, io);
  if (cnb !== undefined) return cnb;
  await prepareRun(dirs, io.owner);
  const info = await readLaunchInfo(dirs.home);
  const { entrypointPrefix } = info;
  return {
    processTypes: {},
    info,
    cwd: RUN_INSIDE.home,
    links: RUN_LINKS,
    prepare: async ({ command, announce, env }) => ({
      argv: launchArgv({ command, announce, ...(entrypointPrefix !== undefined && { entrypointPrefix }) }),
      env,
    }),
  };
}
