/**
 * The program: command-table.ts made into commands with their help. Only these, and the settings table, are loaded
 * for `--help`; each command's work is imported when it runs.
 */
import { Command, Option } from 'commander';
import { settingsOf } from '../../config/schema.ts';
import { CHOICES, type CommandName, type Setting } from '../../config/setting.ts';
import type { CommandSpec } from './command-spec.ts';
import { COMMANDS } from './command-table.ts';
import type { Invocation } from './input/context.ts';

/** Runs one command; what it returns is the exit status. */
export type Action = (invocation: Invocation) => Promise<number>;

/** Loads what a command does. */
export type LoadAction = (spec: CommandSpec) => Promise<Action>;

/** The whole program with its help. */
export function createProgram(version: string, wiring: Wiring): Command {
  const program = new Command('stager')
    .description('Cloud Foundry staging without a Cloud Foundry: from source to droplet, in a sandbox.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showHelpAfterError('(see --help)')
    .configureHelp({ showGlobalOptions: false })
    .enablePositionalOptions()
    .addHelpText(
      'after',
      '\nStart with: stager stage && stager run. Documentation: docs/ in the package; begin with docs/cli.md.',
    );
  for (const spec of COMMANDS) program.addCommand(build(spec, wiring));
  return program;
}

/** How the program is tied to the rest. */
export interface Wiring {
  readonly argv: readonly string[];
  /** Finds what a command does. */
  readonly load: LoadAction;
  /** Takes the exit status of the command. */
  readonly done: (exit: number) => void;
}

function build(spec: CommandSpec, wiring: Wiring): Command {
  const [name = '', ...args] = spec.usage.split(' ');
  const command = new Command(name)
    .summary(spec.summary)
    .description(`${spec.summary.charAt(0).toUpperCase()}${spec.summary.slice(1)}.`);
  command.copyInheritedSettings(new Command().showHelpAfterError('(see --help)'));
  command.helpOption('-h, --help', 'show help');
  for (const arg of args) command.argument(arg);
  for (const child of spec.commands ?? []) command.addCommand(build(child, wiring));
  if (spec.commands !== undefined) return command.helpCommand('help [command]', 'show help for a command');
  if (spec.passThrough === true) {
    command.helpOption(false).allowUnknownOption().argument('[args...]').passThroughOptions();
  }
  for (const [flag, help] of spec.options ?? []) command.option(flag, help);
  if (spec.settings !== undefined) {
    for (const row of settingsIn(spec, spec.settings)) command.addOption(optionOf(row));
    command.addOption(
      new Option('--config <file>', 'config file to read instead of the usual ones').helpGroup('General:'),
    );
  }
  if (spec.after !== undefined) command.addHelpText('after', spec.after);
  return command.action(async (...all: unknown[]) => {
    const dashes = wiring.argv.indexOf('--');
    const action = await wiring.load(spec);
    wiring.done(
      await action({
        args: all.slice(0, -2),
        afterDashes: dashes < 0 ? [] : wiring.argv.slice(dashes + 1),
        flags: keyed(command),
      }),
    );
  });
}

/** The settings that mean something to the command, in its words. */
function settingsIn(spec: CommandSpec, name: CommandName): readonly Setting[] {
  const words = spec.only === undefined ? undefined : new Map<string, string>(Object.entries(spec.only));
  return settingsOf(name).flatMap(([key, row]) => {
    if (words === undefined || row.on.includes('all')) return [row];
    const own = words.get(key);
    if (own === undefined) return [];
    // Its own words say what it does without.
    const { default: _, ...bare } = row;
    return own === '' ? [row] : [{ ...bare, help: own }];
  });
}

/** Options by their settings' keys; only those that were written on the command line. */
function keyed(command: Command): Invocation['flags'] {
  const flags: Record<string, string | boolean | readonly string[] | undefined> = {};
  for (const option of command.options) {
    const attribute = option.attributeName();
    if (command.getOptionValueSource(attribute) !== 'cli') continue;
    const value: unknown = command.getOptionValue(attribute);
    const text =
      typeof value === 'string' || typeof value === 'boolean' || isTexts(value) ? value : undefined;
    flags[keyOf(option.long ?? '')] = option.negate ? true : text;
  }
  return flags;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** `--env-file` → `envFile`; the few whose settings have another name are found in the table. */
function keyOf(long: string): string {
  const row = settingsByFlag.get(long);
  return row ?? long.replace(/^--/, '').replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

const settingsByFlag = new Map(
  (
    [
      'stage',
      'run',
      'package',
      'shell',
      'buildpack',
      'blobs',
      'stack',
      'files',
      'serve',
      'worker',
      'admin',
      'image',
    ] as const
  )
    .flatMap((command) => settingsOf(command))
    .map(([key, row]) => [/--[\w-]+/.exec(row.flag)?.[0] ?? '', key]),
);

function optionOf(row: Setting): Option {
  const fallback = row.default === undefined ? '' : ` (default: ${row.default})`;
  const option = new Option(row.flag, `${row.help}${fallback}`);
  if (row.kind === 'list' || row.kind === 'paths' || row.kind === 'references') {
    option.argParser((value: string, previous: unknown) => [...(isTexts(previous) ? previous : []), value]);
  }
  const words = new Map<string, readonly string[]>(Object.entries(CHOICES)).get(row.kind);
  if (words !== undefined) option.choices([...words]);
  return option.helpGroup(row.group);
}
