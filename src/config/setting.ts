/** What a row of the table of settings says. Plain data: no validator is loaded for it. */

/** How a setting's text is read. Sizes are MiB in the config (`M`, `MB`, `G`, `GB` in text, as cf has them). */
export type SettingKind =
  | 'text'
  | 'path'
  /** A path, or a bare name that is looked up in PATH. */
  | 'program'
  /** A path, or an address with a scheme. */
  | 'address'
  | 'list'
  /** Several paths. */
  | 'paths'
  /** Several of: a path that begins with `./` or `../`, or something else. */
  | 'references'
  | 'flag'
  | 'size'
  | 'duration'
  /** A whole number from 0. */
  | 'count'
  /** 0 to 65535; 0 is any free one. */
  | 'port'
  | 'network'
  | 'sandbox'
  | 'diskBound'
  | 'workspace'
  | 'keep'
  | 'buildpackApi'
  | 'ignoreStyle'
  | 'logLevel';

/** One row of the table. */
export interface Setting {
  /** As commander takes it: `-b, --buildpack <ref>`. */
  readonly flag: string;
  readonly variable: `STAGER_${string}`;
  readonly kind: SettingKind;
  readonly help: string;
  /** Heading in `--help` and docs/cli.md. */
  readonly group:
    | 'App:'
    | 'Buildpacks:'
    | 'Sandbox:'
    | 'Results:'
    | 'Images:'
    | 'Server:'
    | 'Worker:'
    | 'General:';
  /** Text of the default, read like any other text; absent means "not set". */
  readonly default?: string;
  /** Commands that take it. */
  readonly on: readonly CommandName[];
}

/** Commands that read settings. `all` marks settings of every command. */
export type CommandName =
  | 'all'
  | 'stage'
  | 'run'
  | 'package'
  | 'shell'
  | 'buildpack'
  | 'blobs'
  | 'stack'
  | 'files'
  | 'serve'
  | 'worker'
  | 'admin'
  | 'doctor'
  | 'login'
  | 'image';

/** Words a kind accepts, where it accepts only some. */
export const CHOICES = {
  network: ['auto', 'egress', 'host', 'none'],
  sandbox: ['auto', 'oci', 'process', 'none'],
  diskBound: ['auto', 'image', 'tmpfs', 'watch'],
  workspace: ['auto', 'overlay', 'copy'],
  keep: ['never', 'failed', 'always'],
  buildpackApi: ['cf', 'heroku'],
  ignoreStyle: ['cf', 'git'],
  logLevel: ['info', 'error'],
} as const;
