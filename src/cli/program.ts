/**
 * Commands, arguments and help. Only this file and the settings table are loaded for `--help`; each command's
 * work is imported when it runs.
 */
import { Command, Option } from 'commander';
import { CHOICES, type CommandName, type Setting, settingsOf } from '../config/schema.ts';

/** What a command's action gets. */
export interface Invocation {
  /** Positional arguments, in order; a variadic one is an array. */
  readonly args: readonly unknown[];
  /** The words behind `--`; they are at the end of `args` as well. */
  readonly afterDashes: readonly string[];
  /** Flags that a person wrote. */
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
}

/** Runs one command; what it returns is the exit status. */
export type Action = (invocation: Invocation) => Promise<number>;

/** Loads a command's action by its path, such as `buildpack add`. */
export type LoadAction = (path: string) => Promise<Action>;

interface CommandSpec {
  /** `name <required> [optional]`. */
  readonly usage: string;
  readonly summary: string;
  /** Which settings it takes. */
  readonly settings?: CommandName;
  readonly options?: readonly (readonly [flag: string, help: string])[];
  /** Examples and more, shown after the options. */
  readonly after?: string;
  readonly commands?: readonly CommandSpec[];
  /** Hands everything behind the name on, unread. */
  readonly passThrough?: boolean;
}

const STAGE_AFTER = `
Examples:
  stager stage                         detect a buildpack for the app in this directory
  stager stage app.zip -b nodejs       stage an archive with the installed buildpack nodejs
  stager stage -b ./first -b https://github.com/cloudfoundry/nodejs-buildpack#v1.8.40
  stager stage --json | jq -r 'select(.type == "warning").message'

Every option can also be set in ./stager.yml, in $XDG_CONFIG_HOME/stager/config.yml or as a STAGER_* variable:
docs/cli.md has the names, docs/errors.md the exit statuses.`;

const COMMANDS: readonly CommandSpec[] = [
  {
    usage: 'stage [source]',
    summary: 'turn an app (directory, zip, jar, war, tar) into a droplet',
    settings: 'stage',
    after: STAGE_AFTER,
  },
  {
    usage: 'run [droplet] [command...]',
    summary: 'run a droplet: the last one staged, a file, or a blobstore address',
    settings: 'run',
    options: [
      ['--process <type>', 'process type to run (default: web)'],
      ['-p, --port <number>', 'port for the app (default: a free one)'],
      ['--health-check <type>', 'port, http or process (default: port for web, else process)'],
      ['--health-check-endpoint <path>', 'path for the http health check (default: /)'],
      ['--start-timeout <time>', 'how long the app may take until it is healthy (default: 60s)'],
    ],
    after: `
Examples:
  stager run                           run web of the last droplet staged
  stager run --process worker --env LOG=debug
  stager run ./droplet.tgz --port 8080
  stager run -- node --version         one command in the droplet's environment`,
  },
  {
    usage: 'files [source]',
    summary: 'show what would be sent, and which ignore rule decided',
    settings: 'files',
    options: [['--explain <path>', 'say which rule decided on this path']],
  },
  {
    usage: 'shell [source]',
    summary: 'open a shell in the sandbox of a staging',
    settings: 'shell',
    options: [
      ['--workspace <dir>', 'open it in a kept workspace'],
      ['--command <text>', 'run this instead of an interactive shell'],
    ],
  },
  {
    usage: 'package',
    summary: 'packages in the blobstore',
    commands: [
      {
        usage: 'create [source]',
        summary: 'store an app as a package, sending only what is new',
        settings: 'package',
      },
    ],
  },
  {
    usage: 'buildpack',
    summary: 'installed buildpacks, and tools for buildpack authors',
    commands: [
      { usage: 'list', summary: 'installed buildpacks in detect order', settings: 'all' },
      {
        usage: 'add <name> <source>',
        summary: 'install a buildpack from a directory, archive, URL or git URL',
        settings: 'buildpack',
        options: [
          ['--position <number>', 'place in the detect order, from 1 (default: last)'],
          ['--disable', 'install it disabled'],
          ['--lock', 'refuse later updates of its content'],
          ['--sha256 <digest>', 'refuse a download with another digest'],
        ],
      },
      {
        usage: 'update <name> [source]',
        summary: 'replace the content or change position, state or name',
        settings: 'buildpack',
        options: [
          ['--position <number>', 'new place in the detect order, from 1'],
          ['--enable', 'use it in detection again'],
          ['--disable', 'leave it out of detection'],
          ['--lock', 'refuse later updates of its content'],
          ['--unlock', 'allow updates again'],
          ['--rename <name>', 'give it another name'],
          ['--sha256 <digest>', 'refuse a download with another digest'],
        ],
      },
      { usage: 'show <name>', summary: 'everything known about a buildpack', settings: 'buildpack' },
      { usage: 'remove <name>', summary: 'remove a buildpack', settings: 'buildpack' },
      {
        usage: 'new <name>',
        summary: 'write the skeleton of a new buildpack with a test',
        settings: 'all',
        options: [
          ['--language <language>', 'sh or ts (default: sh)'],
          ['--dir <dir>', 'where to write it (default: ./<name>)'],
        ],
      },
      {
        usage: 'test <dir>',
        summary: 'run a buildpack over its fixtures and check expectations',
        settings: 'buildpack',
        options: [
          ['--fixture <name>', 'only this fixture'],
          ['--update', 'write what was seen as the new expectations'],
        ],
      },
      { usage: 'lint <dir>', summary: 'check a buildpack against the contract', settings: 'all' },
      {
        usage: 'package <dir>',
        summary: 'make a zip, byte-identical each time',
        settings: 'buildpack',
        options: [
          ['--offline', 'put the dependencies inside'],
          ['--out <file>', 'file to write'],
        ],
      },
    ],
  },
  {
    usage: 'stack',
    summary: 'root file systems that sandboxes see',
    commands: [
      { usage: 'list', summary: 'known stacks', settings: 'all' },
      {
        usage: 'add <name> <rootfs>',
        summary: 'add a tar, directory, OCI layout directory or docker archive',
        settings: 'all',
      },
      { usage: 'remove <name>', summary: 'remove a stack', settings: 'all' },
    ],
  },
  {
    usage: 'blobs',
    summary: 'what rests in the blobstore',
    commands: [
      { usage: 'ls [prefix]', summary: 'list blobs', settings: 'blobs' },
      {
        usage: 'get <key> <file>',
        summary: 'write a blob to a file, verified; - is stdout',
        settings: 'blobs',
      },
      { usage: 'put <key> <file>', summary: 'store a file as a blob; - is stdin', settings: 'blobs' },
      { usage: 'rm <key...>', summary: 'delete blobs', settings: 'blobs' },
      { usage: 'verify [prefix]', summary: 'read blobs and check their digests', settings: 'blobs' },
      {
        usage: 'gc',
        summary: 'delete what retention does not keep',
        settings: 'blobs',
        options: [
          ['--dry-run', 'only say what would go'],
          ['--keep-droplets <number>', 'droplets kept for each app (default: 5)'],
          ['--keep-packages <number>', 'packages kept for each app (default: 5)'],
          ['--min-age <time>', 'never delete what is younger (default: 1h)'],
        ],
      },
      { usage: 'du', summary: 'space used, by kind', settings: 'blobs' },
    ],
  },
  {
    usage: 'doctor',
    summary: 'say which runtime, cgroup mode, stack and blobstore will be used, and why not others',
    settings: 'stage',
  },
  { usage: 'builder', summary: "Cloud Foundry's builder, flag for flag", passThrough: true },
  { usage: 'launcher', summary: "Cloud Foundry's launcher, argument for argument", passThrough: true },
];

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
      '\nStart with: stager stage && stager run. Documents: docs/ in the package, docs/cli.md first.',
    );
  for (const spec of COMMANDS) program.addCommand(build(spec, [], wiring));
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

function build(spec: CommandSpec, parents: readonly string[], wiring: Wiring): Command {
  const [name = '', ...args] = spec.usage.split(' ');
  const path = [...parents, name];
  const command = new Command(name)
    .summary(spec.summary)
    .description(`${spec.summary.charAt(0).toUpperCase()}${spec.summary.slice(1)}.`);
  command.copyInheritedSettings(new Command().showHelpAfterError('(see --help)'));
  for (const arg of args) command.argument(arg);
  for (const child of spec.commands ?? []) command.addCommand(build(child, path, wiring));
  if (spec.commands !== undefined) return command;
  if (spec.passThrough === true) {
    command.helpOption(false).allowUnknownOption().argument('[args...]').passThroughOptions();
  }
  for (const [flag, help] of spec.options ?? []) command.option(flag, help);
  if (spec.settings !== undefined) {
    for (const [, row] of settingsOf(spec.settings)) command.addOption(optionOf(row));
    command.addOption(
      new Option('--config <file>', 'config file to read instead of the usual ones').helpGroup('General:'),
    );
  }
  if (spec.after !== undefined) command.addHelpText('after', spec.after);
  return command.action(async (...all: unknown[]) => {
    const dashes = wiring.argv.indexOf('--');
    const action = await wiring.load(path.join(' '));
    wiring.done(
      await action({
        args: all.slice(0, -2),
        afterDashes: dashes < 0 ? [] : wiring.argv.slice(dashes + 1),
        flags: keyed(command),
      }),
    );
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
  (['stage', 'run', 'package', 'shell', 'buildpack', 'blobs', 'stack', 'files'] as const)
    .flatMap((command) => settingsOf(command))
    .map(([key, row]) => [/--[\w-]+/.exec(row.flag)?.[0] ?? '', key]),
);

function optionOf(row: Setting): Option {
  const fallback = row.default === undefined ? '' : ` (default: ${row.default})`;
  const option = new Option(row.flag, `${row.help}${fallback}`);
  if (row.kind === 'list') {
    option.argParser((value: string, previous: unknown) => [...(isTexts(previous) ? previous : []), value]);
  }
  const words = new Map<string, readonly string[]>(Object.entries(CHOICES)).get(row.kind);
  if (words !== undefined) option.choices([...words]);
  return option.helpGroup(row.group);
}
