/**
 * Every setting once: key, flag, variable, kind, default and the sentence that help and docs show.
 *
 * Plain data on purpose: `stager --help` reads it and must not load a validator (150 ms budget).
 */

/** How a setting's text is read. Sizes are MiB in the config (`M`, `MB`, `G`, `GB` in text, as cf has them). */
export type SettingKind =
  | 'text'
  | 'path'
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
  /** 0 to 65535; 0 is any free one. */
  | 'port'
  | 'network'
  | 'sandbox'
  | 'keep'
  | 'buildpackApi'
  | 'ignoreStyle';

/** One row of the table. */
export interface Setting {
  /** As commander takes it: `-b, --buildpack <ref>`. */
  readonly flag: string;
  readonly variable: `STAGER_${string}`;
  readonly kind: SettingKind;
  readonly help: string;
  /** Heading in `--help` and docs/cli.md. */
  readonly group: 'App:' | 'Buildpacks:' | 'Sandbox:' | 'Results:' | 'Server:' | 'General:';
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
  | 'serve';

/** Words a kind accepts, where it accepts only some. */
export const CHOICES = {
  network: ['host', 'none'],
  sandbox: ['auto', 'oci', 'none'],
  keep: ['never', 'failed', 'always'],
  buildpackApi: ['cf', 'heroku'],
  ignoreStyle: ['cf', 'git'],
} as const;

/** The table. Keys are the names in a config file; the library has numbers and objects instead of texts (options.ts). */
export const SETTINGS = {
  buildpacks: {
    group: 'Buildpacks:',
    flag: '-b, --buildpack <ref>',
    variable: 'STAGER_BUILDPACK',
    kind: 'references',
    help: 'name, directory, .zip/.tgz path or https URL, or git URL with #ref; repeat for several',
    on: ['stage', 'shell'],
  },
  buildpackApi: {
    group: 'Buildpacks:',
    flag: '--buildpack-api <family>',
    variable: 'STAGER_BUILDPACK_API',
    kind: 'buildpackApi',
    help: 'treat every buildpack as cf or heroku, whatever it looks like',
    on: ['stage', 'shell'],
  },
  stack: {
    group: 'Sandbox:',
    flag: '--stack <name>',
    variable: 'STAGER_STACK',
    kind: 'text',
    default: 'host',
    help: 'root file system that scripts and the app see (stager stack list)',
    on: ['stage', 'run', 'shell', 'buildpack', 'serve'],
  },
  env: {
    group: 'App:',
    flag: '-e, --env <K=V>',
    variable: 'STAGER_ENV',
    kind: 'list',
    help: 'environment variable of the app; repeat for several',
    on: ['stage', 'run', 'shell'],
  },
  envFile: {
    group: 'App:',
    flag: '--env-file <file>',
    variable: 'STAGER_ENV_FILE',
    kind: 'path',
    help: 'file of K=V lines; --env wins over it',
    on: ['stage', 'run', 'shell'],
  },
  services: {
    group: 'App:',
    flag: '--services <file>',
    variable: 'STAGER_SERVICES',
    kind: 'path',
    help: 'a VCAP_SERVICES document (JSON)',
    on: ['stage', 'run', 'shell'],
  },
  appName: {
    group: 'App:',
    flag: '--app-name <name>',
    variable: 'STAGER_APP_NAME',
    kind: 'text',
    help: 'name of the app; default: the name of the source',
    on: ['stage', 'run', 'package', 'shell'],
  },
  cfStack: {
    group: 'Sandbox:',
    flag: '--cf-stack <name>',
    variable: 'STAGER_CF_STACK',
    kind: 'text',
    help: 'what scripts see as CF_STACK; default: the name of the stack, cflinuxfs4 for host',
    on: ['stage', 'shell', 'buildpack'],
  },
  memory: {
    group: 'Sandbox:',
    flag: '-m, --memory <size>',
    variable: 'STAGER_MEMORY',
    kind: 'size',
    default: '1G',
    help: 'memory limit, such as 512M or 2G',
    on: ['stage', 'run', 'shell', 'serve'],
  },
  disk: {
    group: 'Sandbox:',
    flag: '-k, --disk <size>',
    variable: 'STAGER_DISK',
    kind: 'size',
    default: '4G',
    help: 'disk limit, such as 512M or 8G',
    on: ['stage', 'run', 'shell', 'serve'],
  },
  timeout: {
    group: 'Sandbox:',
    flag: '-t, --timeout <time>',
    variable: 'STAGER_TIMEOUT',
    kind: 'duration',
    default: '15m',
    help: 'longest time for all buildpack scripts together, such as 90s or 15m',
    on: ['stage', 'serve'],
  },
  network: {
    group: 'Sandbox:',
    flag: '--network <kind>',
    variable: 'STAGER_NETWORK',
    kind: 'network',
    default: 'host',
    help: 'host, or none for no network at all',
    on: ['stage', 'run', 'shell', 'buildpack', 'serve'],
  },
  sandbox: {
    group: 'Sandbox:',
    flag: '--sandbox <kind>',
    variable: 'STAGER_SANDBOX',
    kind: 'sandbox',
    default: 'auto',
    help: 'auto or oci; none gives up all isolation',
    on: ['stage', 'run', 'shell', 'buildpack', 'serve'],
  },
  runtime: {
    group: 'Sandbox:',
    flag: '--runtime <path>',
    variable: 'STAGER_RUNTIME',
    kind: 'path',
    help: 'OCI runtime to use instead of the first of runc, crun, youki, runsc that works',
    on: ['stage', 'run', 'shell', 'buildpack', 'serve'],
  },
  output: {
    group: 'Results:',
    flag: '-o, --output <file>',
    variable: 'STAGER_OUTPUT',
    kind: 'path',
    help: 'also write the droplet to this file',
    on: ['stage'],
  },
  result: {
    group: 'Results:',
    flag: '--result <file>',
    variable: 'STAGER_RESULT',
    kind: 'path',
    help: "write Cloud Foundry's result.json with stager's record of the staging to this file",
    on: ['stage'],
  },
  package: {
    group: 'App:',
    flag: '--package <guid>',
    variable: 'STAGER_PACKAGE',
    kind: 'text',
    help: 'stage a stored package instead of SOURCE',
    on: ['stage'],
  },
  blobstore: {
    group: 'Results:',
    flag: '--blobstore <url>',
    variable: 'STAGER_BLOBSTORE',
    kind: 'address',
    help: 'where packages, droplets and caches are stored: a directory, file:///… or s3://bucket/prefix; default: below the data home',
    on: ['stage', 'run', 'shell', 'package', 'blobs', 'serve'],
  },
  noCache: {
    group: 'Results:',
    flag: '--no-cache',
    variable: 'STAGER_NO_CACHE',
    kind: 'flag',
    help: 'neither restore nor save the build cache',
    on: ['stage'],
  },
  clearCache: {
    group: 'Results:',
    flag: '--clear-cache',
    variable: 'STAGER_CLEAR_CACHE',
    kind: 'flag',
    help: 'start from an empty build cache, and save the new one',
    on: ['stage'],
  },
  compression: {
    group: 'Results:',
    flag: '--compression <how>',
    variable: 'STAGER_COMPRESSION',
    kind: 'text',
    help: 'gzip:1-9, zstd[:level] or none, for droplet and build cache; cells read gzip',
    on: ['stage', 'serve'],
  },
  reproducible: {
    group: 'Results:',
    flag: '--reproducible',
    variable: 'STAGER_REPRODUCIBLE',
    kind: 'flag',
    help: 'set file times in the droplet to SOURCE_DATE_EPOCH (0 when unset)',
    on: ['stage'],
  },
  reuse: {
    group: 'Results:',
    flag: '--reuse',
    variable: 'STAGER_REUSE',
    kind: 'flag',
    help: 'return the stored droplet of an earlier staging with the same inputs',
    on: ['stage'],
  },
  keep: {
    group: 'Sandbox:',
    flag: '--keep <when>',
    variable: 'STAGER_KEEP',
    kind: 'keep',
    default: 'never',
    help: 'keep the workspace: never, failed or always; prints where it is',
    on: ['stage', 'shell'],
  },
  ignoreStyle: {
    group: 'App:',
    flag: '--ignore-style <style>',
    variable: 'STAGER_IGNORE_STYLE',
    kind: 'ignoreStyle',
    default: 'cf',
    help: 'read .cfignore as the cf client does, or by the rules of git',
    on: ['stage', 'package', 'shell', 'files'],
  },
  manifest: {
    group: 'App:',
    flag: '-f, --manifest <file>',
    variable: 'STAGER_MANIFEST',
    kind: 'path',
    help: 'stage the apps of a Cloud Foundry manifest.yml, or of the one in this directory',
    on: ['stage', 'shell'],
  },
  vars: {
    group: 'App:',
    flag: '--var <K=V>',
    variable: 'STAGER_VAR',
    kind: 'list',
    help: 'variable of the manifest; repeat for several',
    on: ['stage', 'shell'],
  },
  varsFiles: {
    group: 'App:',
    flag: '--vars-file <file>',
    variable: 'STAGER_VARS_FILE',
    kind: 'paths',
    help: 'YAML file of variables of the manifest; repeat for several',
    on: ['stage', 'shell'],
  },
  lock: {
    group: 'Buildpacks:',
    flag: '--lock',
    variable: 'STAGER_LOCK',
    kind: 'flag',
    help: 'record the exact buildpacks in stager.lock',
    on: ['stage'],
  },
  frozen: {
    group: 'Buildpacks:',
    flag: '--frozen',
    variable: 'STAGER_FROZEN',
    kind: 'flag',
    help: 'use exactly the buildpacks of stager.lock, or fail',
    on: ['stage'],
  },
  trace: {
    group: 'Buildpacks:',
    flag: '--trace',
    variable: 'STAGER_TRACE',
    kind: 'flag',
    help: 'run shell buildpacks with set -x',
    on: ['stage'],
  },
  smoke: {
    group: 'Results:',
    flag: '--smoke',
    variable: 'STAGER_SMOKE',
    kind: 'flag',
    help: 'start the web process for its health check before the build counts as staged',
    on: ['stage'],
  },
  host: {
    group: 'Server:',
    flag: '--host <address>',
    variable: 'STAGER_HOST',
    kind: 'text',
    default: '127.0.0.1',
    help: 'address to listen on; beyond loopback it takes a certificate or --insecure-http',
    on: ['serve'],
  },
  port: {
    group: 'Server:',
    flag: '--port <number>',
    variable: 'STAGER_PORT',
    kind: 'port',
    default: '8484',
    help: 'port to listen on; 0 is any free one',
    on: ['serve'],
  },
  data: {
    group: 'Server:',
    flag: '--data <dir>',
    variable: 'STAGER_DATA',
    kind: 'path',
    help: 'directory of the embedded database; default: below the data home',
    on: ['serve'],
  },
  database: {
    group: 'Server:',
    flag: '--database <url>',
    variable: 'STAGER_DATABASE',
    kind: 'text',
    help: 'postgres://… of a PostgreSQL server (14 or later) instead of the embedded database',
    on: ['serve'],
  },
  tlsCert: {
    group: 'Server:',
    flag: '--tls-cert <file>',
    variable: 'STAGER_TLS_CERT',
    kind: 'path',
    help: 'certificate chain (PEM); read again when it changes',
    on: ['serve'],
  },
  tlsKey: {
    group: 'Server:',
    flag: '--tls-key <file>',
    variable: 'STAGER_TLS_KEY',
    kind: 'path',
    help: 'key of the certificate (PEM)',
    on: ['serve'],
  },
  insecureHttp: {
    group: 'Server:',
    flag: '--insecure-http',
    variable: 'STAGER_INSECURE_HTTP',
    kind: 'flag',
    help: 'allow plain HTTP beyond loopback, for example behind a proxy that does TLS',
    on: ['serve'],
  },
  publicUrl: {
    group: 'Server:',
    flag: '--public-url <url>',
    variable: 'STAGER_PUBLIC_URL',
    kind: 'text',
    help: 'address that links in answers begin with; default: the one that a request came to',
    on: ['serve'],
  },
  caFile: {
    group: 'General:',
    flag: '--ca-file <file>',
    variable: 'STAGER_CA_FILE',
    kind: 'path',
    help: 'extra CA certificates (PEM), for our downloads and inside the sandbox; default: NODE_EXTRA_CA_CERTS',
    on: ['stage', 'run', 'shell', 'buildpack', 'package', 'blobs', 'serve'],
  },
  home: {
    group: 'General:',
    flag: '--home <dir>',
    variable: 'STAGER_HOME',
    kind: 'path',
    help: 'data home: installed buildpacks, stacks, caches, the default blobstore',
    on: ['all'],
  },
  json: {
    group: 'General:',
    flag: '--json',
    variable: 'STAGER_JSON',
    kind: 'flag',
    help: 'one JSON object per line on stdout',
    on: ['all'],
  },
  quiet: {
    group: 'General:',
    flag: '-q, --quiet',
    variable: 'STAGER_QUIET',
    kind: 'flag',
    help: 'only errors',
    on: ['all'],
  },
  verbose: {
    group: 'General:',
    flag: '-v, --verbose',
    variable: 'STAGER_VERBOSE',
    kind: 'flag',
    help: 'more detail',
    on: ['all'],
  },
} as const satisfies Record<string, Setting>;

/** Names of the settings. */
export type SettingKey = keyof typeof SETTINGS;

/** The settings of a command, in table order. */
export function settingsOf(command: CommandName): readonly (readonly [string, Setting])[] {
  const rows: readonly (readonly [string, Setting])[] = Object.entries(SETTINGS);
  return rows.filter(([, row]) => row.on.includes(command) || row.on.includes('all'));
}
