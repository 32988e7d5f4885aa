/** Finds what a command does. Each is imported when it is called for, so that none pays for the others. */
import type { Stager } from '../../compose.ts';
import { loadConfig } from '../../config/load.ts';
import { noColorWanted } from '../../config/terminal.ts';
import { checkLayout } from '../../machine/host/data-layout.ts';
import type { CommandAction, Invocation } from './input/context.ts';
import type { Action } from './program.ts';
import { createOutput } from './terminal/output.ts';
import { reportError } from './terminal/report-error.ts';
import { ownStreams } from './terminal/streams.ts';

const COMMANDS: Readonly<Record<string, () => Promise<CommandAction>>> = {
  stage: async () => (await import('./commands/stage.ts')).stageCommand,
  run: async () => (await import('./commands/run.ts')).runCommand,
  'buildpack new': async () => (await import('./commands/buildpack-new.ts')).buildpackNew,
  'buildpack test': async () => (await import('./commands/buildpack-test.ts')).buildpackTest,
  'buildpack lint': async () => (await import('./commands/buildpack-lint.ts')).buildpackLint,
  'buildpack package': async () => (await import('./commands/buildpack-package.ts')).buildpackPackage,
  files: async () => (await import('./commands/files.ts')).filesCommand,
  shell: async () => (await import('./commands/shell.ts')).shellInSandbox,
  'buildpack list': async () => (await import('./commands/buildpacks.ts')).buildpackList,
  'buildpack add': async () => (await import('./commands/buildpacks.ts')).buildpackAdd,
  'buildpack update': async () => (await import('./commands/buildpacks.ts')).buildpackUpdate,
  'buildpack show': async () => (await import('./commands/buildpacks.ts')).buildpackShow,
  'buildpack remove': async () => (await import('./commands/buildpacks.ts')).buildpackRemove,
  'stack list': async () => (await import('./commands/stacks.ts')).stackList,
  'stack add': async () => (await import('./commands/stacks.ts')).stackAdd,
  'stack remove': async () => (await import('./commands/stacks.ts')).stackRemove,
  'package create': async () => (await import('./commands/package-create.ts')).packageCreate,
  'blobs ls': async () => (await import('./commands/blobs.ts')).blobsList,
  'blobs get': async () => (await import('./commands/blobs.ts')).blobsGet,
  'blobs put': async () => (await import('./commands/blobs.ts')).blobsPut,
  'blobs rm': async () => (await import('./commands/blobs.ts')).blobsRemove,
  'blobs verify': async () => (await import('./commands/blobs.ts')).blobsVerify,
  'blobs repair': async () => (await import('./commands/blobs-repair.ts')).blobsRepair,
  'blobs gc': async () => (await import('./commands/blobs.ts')).blobsGc,
  'blobs du': async () => (await import('./commands/blobs.ts')).blobsUsage,
  login: async () => (await import('./commands/login.ts')).loginCommand,
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
};

/** They work without a data home, or on one that is damaged. */
const WITHOUT_HOME: ReadonlySet<string> = new Set([
  'doctor',
  'files',
  'buildpack new',
  'buildpack lint',
  'login',
]);

/** The action of the command at `path`, such as `buildpack add`. */
export async function actionFor(path: string, signal: AbortSignal): Promise<Action> {
  const load = COMMANDS[path];
  if (load === undefined) throw new Error(`no command ${path}`);
  const run = await load();
  return async (invocation) => {
    const { configFile, flags } = splitConfig(invocation.flags);
    const config = await loadConfig({ flags, ...(configFile !== undefined && { configFile }) });
    const output = createOutput({
      json: config.settings.json ?? false,
      quiet: config.settings.quiet ?? false,
      verbose: config.settings.verbose ?? false,
      ...ownStreams(),
      noColor: noColorWanted(),
    });
    let opened: Promise<Stager> | undefined;
    const stager = (): Promise<Stager> => {
      opened ??= import('../../compose.ts').then(({ openStager }) => openStager(config));
      return opened;
    };
    try {
      if (!WITHOUT_HOME.has(path)) await checkLayout(config.home);
      try {
        return await run({ ...invocation, flags, config, output, signal, stager });
      } finally {
        await (await opened)?.close();
      }
    } catch (error) {
      return reportError(error, output);
    }
  };
}

function splitConfig(flags: Invocation['flags']): { configFile?: string; flags: Invocation['flags'] } {
  const { config, ...rest } = flags;
  return typeof config === 'string' ? { configFile: config, flags: rest } : { flags: rest };
}
