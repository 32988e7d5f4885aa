/** Settings of every command, or nearly. */
import type { Setting } from './setting.ts';

/** Where stager keeps its data, whom it trusts, and how it talks. */
export const GENERAL_SETTINGS = {
  caFile: {
    group: 'General:',
    flag: '--ca-file <file>',
    variable: 'STAGER_CA_FILE',
    kind: 'path',
    help: 'extra CA certificates (PEM), for our downloads and inside the sandbox; default: NODE_EXTRA_CA_CERTS',
    on: [
      'stage',
      'run',
      'shell',
      'buildpack',
      'package',
      'blobs',
      'serve',
      'worker',
      'admin',
      'login',
      'doctor',
    ],
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
