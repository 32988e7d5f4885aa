/** Runs a command: reads its settings, opens what it asks for, reports what it throws, and closes what was opened. */
import type { Stager } from '../../compose.ts';
import { loadConfig } from '../../config/load.ts';
import { noColorWanted } from '../../config/terminal.ts';
import { keepCompiledCode } from '../../machine/host/compiled-code.ts';
import { checkLayout } from '../../machine/host/data-layout.ts';
import type { CommandSpec } from './command-spec.ts';
import type { Invocation } from './input/context.ts';
import type { Action } from './program.ts';
import { createOutput } from './terminal/output.ts';
import { reportError } from './terminal/report-error.ts';
import { ownStreams } from './terminal/streams.ts';

/** What a command of the table does when it is called. */
export function loadAction(spec: CommandSpec, signal: AbortSignal): Action {
  const { load } = spec;
  if (load === undefined) throw new Error(`no command ${spec.usage}`);
  return async (invocation) => {
    const { configFile, flags } = splitConfig(invocation.flags);
    const config = await loadConfig({
      flags: without(flags, spec.noSettings ?? []),
      ...(configFile !== undefined && { configFile }),
    });
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
      if (spec.keepsCompiled === true) keepCompiledCode(config.cacheHome);
      const run = await load();
      if (spec.withoutHome !== true) await checkLayout(config.home);
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

function without(flags: Invocation['flags'], names: readonly string[]): Invocation['flags'] {
  return Object.fromEntries(Object.entries(flags).filter(([name]) => !names.includes(name)));
}

function splitConfig(flags: Invocation['flags']): { configFile?: string; flags: Invocation['flags'] } {
  const { config, ...rest } = flags;
  return typeof config === 'string' ? { configFile: config, flags: rest } : { flags: rest };
}
