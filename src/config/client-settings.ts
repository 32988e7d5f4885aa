/** Settings of commands that let a server stage. The token has none: STAGER_TOKEN, or `stager login`. */
import type { Setting } from './setting.ts';

/** Which server, and where on it. */
export const CLIENT_SETTINGS = {
  server: {
    group: 'Server:',
    flag: '--server <url>',
    variable: 'STAGER_SERVER',
    kind: 'text',
    help: 'stage on the stager server at this address; sign in with stager login or STAGER_TOKEN',
    on: ['stage', 'doctor'],
  },
  org: {
    group: 'Server:',
    flag: '--org <name>',
    variable: 'STAGER_ORG',
    kind: 'text',
    help: 'organization on the server; default: that of the only space',
    on: ['stage'],
  },
  space: {
    group: 'Server:',
    flag: '--space <name>',
    variable: 'STAGER_SPACE',
    kind: 'text',
    help: 'space on the server; default: the only one',
    on: ['stage'],
  },
} as const satisfies Record<string, Setting>;

/** What a server decides by itself: with `--server` these are refused rather than left out in silence. */
export const LOCAL_ONLY = [
  'buildpackApi',
  'cfStack',
  'services',
  'timeout',
  'network',
  'egressRules',
  'runEgressRules',
  'allowHosts',
  'sandbox',
  'runtime',
  'blobstore',
  'noCache',
  'recordDependencies',
  'offline',
  'compression',
  'reproducible',
  'reuse',
  'keep',
  'lock',
  'frozen',
  'trace',
  'smoke',
  // Names that the library has for some of them.
  'timeoutMs',
  'sourceDateEpoch',
  'bundle',
] as const;
