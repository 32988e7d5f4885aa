/** Every command, its arguments and the words of its help. */
import type { SettingKey } from '../../config/schema.ts';
import type { CommandName } from '../../config/setting.ts';

/** One command, or a group of them. */
export interface CommandSpec {
  /** `name <required> [optional]`. */
  readonly usage: string;
  readonly summary: string;
  /** Which settings it takes. */
  readonly settings?: CommandName;
  /**
   * Where not all of them mean something: those that do, with words of its own or `''` for the usual ones. The settings
   * of every command are not listed.
   */
  readonly only?: Readonly<Partial<Record<SettingKey, string>>>;
  readonly options?: readonly (readonly [flag: string, help: string])[];
  /** Examples and more, shown after the options. */
  readonly after?: string;
  readonly commands?: readonly CommandSpec[];
  /** Passes on everything after the name, unread. */
  readonly passThrough?: boolean;
}

/** For commands on one of several installed buildpacks of a name. */
const WHICH_STACK = { stack: 'the one for this stack (default: the one without a stack)' } as const;

const STAGE_AFTER = `
Examples:
  stager stage                         detect a buildpack for the app in this directory
  stager stage app.zip -b nodejs       stage an archive with the installed buildpack nodejs
  stager stage -b ./first -b https://github.com/cloudfoundry/nodejs-buildpack#v1.8.40
  stager stage --json | jq -r 'select(.type == "warning").message'

Every option can also be set in ./stager.yml, in $XDG_CONFIG_HOME/stager/config.yml or as a STAGER_* variable:
docs/cli.md has the names, docs/errors.md the exit statuses.`;

/** In the order of `stager --help`. */
export const COMMANDS: readonly CommandSpec[] = [
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
        only: { stack: 'stack that it is for, when it names none itself', caFile: '' },
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
        only: { ...WHICH_STACK, caFile: '' },
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
      {
        usage: 'show <name>',
        summary: 'everything known about a buildpack',
        settings: 'buildpack',
        only: WHICH_STACK,
      },
      { usage: 'remove <name>', summary: 'remove a buildpack', settings: 'buildpack', only: WHICH_STACK },
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
          ['--trace', 'run shell buildpacks with set -x, and show all that they say'],
        ],
      },
      {
        usage: 'lint <dir>',
        summary: 'check a buildpack against the contract',
        settings: 'buildpack',
        only: { stack: 'stack in which interpreters are looked for; default: host' },
      },
      {
        usage: 'package <dir>',
        summary: 'make a zip, byte-identical each time',
        settings: 'buildpack',
        only: { stack: 'keep only the dependencies for this stack', caFile: '' },
        options: [
          ['--offline', 'include the dependencies'],
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
    summary: 'contents of the blobstore',
    commands: [
      { usage: 'ls [prefix]', summary: 'list blobs', settings: 'blobs' },
      {
        usage: 'get <key> <file>',
        summary: 'write a blob to a file, verified; - is stdout',
        settings: 'blobs',
      },
      { usage: 'put <key> <file>', summary: 'store a file as a blob; - is stdin', settings: 'blobs' },
      { usage: 'rm <key...>', summary: 'delete blobs', settings: 'blobs' },
      {
        usage: 'verify [prefix]',
        summary: 'read blobs and check their digests, and that packages are complete',
        settings: 'blobs',
      },
      {
        usage: 'repair',
        summary: 'rebuild damaged indexes of the resource cache from what is stored',
        settings: 'blobs',
        options: [['--dry-run', 'only say what is wrong']],
      },
      {
        usage: 'gc',
        summary: 'delete what retention does not keep',
        settings: 'blobs',
        options: [
          ['--dry-run', 'only say what would be deleted'],
          ['--keep-droplets <number>', 'droplets kept for each app (default: 5)'],
          ['--keep-packages <number>', 'packages kept for each app (default: 5)'],
          ['--min-age <time>', 'never delete what is younger than this (default: 1h)'],
        ],
      },
      { usage: 'du', summary: 'space used, by kind', settings: 'blobs' },
    ],
  },
  {
    usage: 'serve',
    summary: "the staging part of Cloud Foundry's API, for cf and other clients",
    settings: 'serve',
    after: `
The password of admin comes from STAGER_ADMIN_PASSWORD, or is made up at the first start and shown once.

Examples:
  stager serve
  cf api http://127.0.0.1:8484 && cf auth admin PASSWORD
  stager serve --database postgres://user@host/stager --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem`,
  },
  {
    usage: 'login <url>',
    summary: 'sign in to a stager server, for stage --server',
    settings: 'login',
    options: [
      ['-u, --username <name>', 'sign in as a person; the password is STAGER_PASSWORD, or asked for'],
      ['--client <id>', 'sign in as a program; the secret is STAGER_CLIENT_SECRET, or asked for'],
    ],
    after: `
The token is kept in $XDG_CONFIG_HOME/stager/logins.json, for you alone, and renewed when it runs out.

Examples:
  stager login http://127.0.0.1:8484 --username admin
  stager stage --server http://127.0.0.1:8484`,
  },
  {
    usage: 'doctor',
    summary: 'say which runtime, cgroup mode, stack and blobstore will be used, and why not others',
    settings: 'stage',
    only: { stack: '', sandbox: '', runtime: '', blobstore: '', caFile: '' },
    options: [['--repair', 'first move aside what is in the way in the data home, and make it anew']],
  },
  { usage: 'builder', summary: "Cloud Foundry's builder, flag for flag", passThrough: true },
  { usage: 'launcher', summary: "Cloud Foundry's launcher, argument for argument", passThrough: true },
];
