/** Launcher: arguments, staging_info.yml, environment, profile scripts, prefix, exit codes, signals. */
import { CREDHUB } from './platform-scenarios.ts';
import { launch, type Scenario } from './scenario.ts';
import type { World } from './world.ts';

const ENV = 'env | sort';

function layProfiles(world: World): void {
  world.file('profile.d/b.sh', 'echo "b: $# $* $env_file"; export ORDER="$ORDER b"');
  world.file('profile.d/a', 'echo a; export ORDER="$ORDER a"');
  world.file('app/.profile.d/z.sh', 'echo z; export ORDER="$ORDER z"');
  world.file('app/.profile.d/c.sh', 'echo c; export ORDER="$ORDER c"');
  world.file('app/.profile', 'echo profile; export ORDER="$ORDER profile"');
}

const INFOS: Readonly<Record<string, string>> = {
  JSON: '{"detected_buildpack":"x","start_command":"echo from info"}',
  YAML: 'start_command: echo yaml\n',
  'without command': '{"detected_buildpack":"x"}',
  empty: '',
  'not YAML': 'start_command: [\n',
  'a list': '- a\n',
  'wrong types': 'start_command: [a]\nconfig: x\n',
  'odd tags': 'start_command: echo tagged\nother: !ruby/object:Foo {a: b}\n',
  'half a pair': '{"start_command":"echo \\ud83d\\ude00"}',
  'with prefix': '{"start_command":"echo prefixed","config":{"entrypoint_prefix":"/bin/echo wrapped"}}',
};

const argumentScenarios: readonly Scenario[] = [
  launch('arguments: none', '', { args: () => [] }),
  launch('arguments: two', '', { args: () => ['app', 'true'] }),
  launch('arguments: no command anywhere', ''),
  launch('arguments: more than three', 'echo $# $0', {
    args: () => ['../app', 'echo $# $0', 'meta', 'data'],
  }),
  launch('arguments: metadata that looks like a flag', '', { args: () => ['../app', 'true', '-bogus'] }),
  launch('arguments: help as metadata', '', { args: () => ['../app', 'true', '-h'] }),
  launch('arguments: flags after the metadata are not read', '', {
    args: () => ['../app', 'true', 'x', '-bogus'],
  }),
  launch('arguments: relative directory', 'pwd; echo $HOME $TMPDIR $DEPS_DIR', {
    args: () => ['app/../app/.', 'pwd; echo $HOME $TMPDIR $DEPS_DIR', ''],
    cwd: '',
  }),
  launch('arguments: empty directory', '', { args: () => ['', 'pwd; echo $HOME $TMPDIR', ''] }),
  launch('arguments: directory missing', '', { args: () => ['../nowhere', 'pwd', ''] }),
  ...Object.entries(INFOS).map(([name, content]) =>
    launch(`staging_info.yml: ${name}`, '', { lay: (world) => world.file('home/staging_info.yml', content) }),
  ),
  launch('staging_info.yml: the argument wins', 'echo argument', {
    lay: (world) => world.file('home/staging_info.yml', INFOS['JSON'] ?? ''),
  }),
  launch('staging_info.yml: broken though not needed', 'echo argument', {
    lay: (world) => world.file('home/staging_info.yml', '['),
  }),
  launch('staging_info.yml: a directory', 'true', {
    lay: (world) => world.directory('home/staging_info.yml'),
  }),
];

const APPLICATION =
  '{"name":"<app>","limits":{"mem":64,"fds":16384},"z":1.50,"a":[1e21,0.0000001,-0],"u":"\\u2028\\ud800"}';

const environmentScenarios: readonly Scenario[] = [
  launch('environment: everything', ENV, {
    env: () => ({
      VCAP_APPLICATION: APPLICATION,
      PORT: '8080',
      INSTANCE_GUID: 'guid',
      INSTANCE_INDEX: '3',
      VCAP_PLATFORM_OPTIONS: '{}',
      VCAP_SERVICES: '{"db":[{"credentials":{"uri":"postgresql://u:p@h/d"}}]}',
      DATABASE_URL: 'preset',
      'server.port': '9',
      'with-dash': 'x',
      EMPTY: '',
      MULTI: 'line\nline',
      NODE_OPTIONS: '--require /nowhere.js',
      LD_PRELOAD: '',
    }),
  }),
  launch('environment: nothing but PATH', ENV),
  launch('environment: PATH that has nothing', 'echo never', { env: () => ({ PATH: '/nonexistent' }) }),
  launch('environment: a large one', 'printf %s "$BIG" | wc -c', {
    env: () => ({ BIG: 'x'.repeat(100_000) }),
  }),
  ...['not JSON', '[]', '"x"', '{"a":1e999}', '{}'].map((text) =>
    launch(`environment: VCAP_APPLICATION ${text}`, 'echo "$VCAP_APPLICATION"', {
      env: () => ({ VCAP_APPLICATION: text }),
    }),
  ),
  ...['+80', '-1', '007', ' 80', '80x', '1_000', '0x50', '99999999999999999999'].map((port) =>
    launch(`environment: PORT ${port}`, 'echo "$VCAP_APPLICATION"', {
      env: () => ({ VCAP_APPLICATION: '{}', PORT: port, INSTANCE_INDEX: port }),
    }),
  ),
  launch('environment: bad platform options', 'true', { env: () => ({ VCAP_PLATFORM_OPTIONS: '{' }) }),
  ...Object.entries(CREDHUB).map(([name, envOf]) =>
    launch(`credhub: ${name}`, '', {
      args: () => [
        '../app',
        'echo "$VCAP_SERVICES"; echo "$DATABASE_URL"; echo "$VCAP_PLATFORM_OPTIONS"',
        '-credhubRetryDelay=1ms',
      ],
      env: (_, servers) => envOf(servers),
    }),
  ),
];

const prefix = (text: string): string => JSON.stringify({ config: { entrypoint_prefix: text } });

const scriptScenarios: readonly Scenario[] = [
  launch('profile: all in order', 'echo "$ORDER"', { lay: layProfiles }),
  launch('profile: empty directories', 'echo started', {
    lay: (world) => {
      world.directory('profile.d');
      world.directory('app/.profile.d');
    },
  }),
  launch('profile: a name with a blank', 'echo started', {
    lay: (world) => world.file('app/.profile.d/a b.sh', 'echo never'),
  }),
  launch('profile: a directory among them', 'echo started', {
    lay: (world) => {
      world.file('profile.d/sub/x', 'x');
      world.file('app/.profile.d/sub/x', 'x');
    },
  }),
  launch('profile: mistakes go on', 'echo started', {
    lay: (world) => {
      world.file('profile.d/a.sh', 'no-such-command; false');
      world.file('app/.profile', 'if');
    },
  }),
  launch('profile: set -e', 'echo started', { lay: (world) => world.file('profile.d/a.sh', 'set -e') }),
  launch('profile: set -e and a failure', 'echo started', {
    lay: (world) => world.file('app/.profile', 'set -e\nfalse\necho never'),
  }),
  launch('profile: exit', 'echo started', { lay: (world) => world.file('app/.profile', 'exit 12') }),
  launch('profile: changes directory and arguments', 'pwd; echo "$@"', {
    lay: (world) => world.file('app/.profile', 'cd /; set -- x "echo replaced"'),
  }),
  launch('prefix: absolute', 'echo "a  b"', {
    lay: (world) => {
      world.file('home/staging_info.yml', prefix('/bin/echo got'));
    },
  }),
  launch('prefix: on PATH', 'one two', {
    lay: (world) => world.file('home/staging_info.yml', prefix('printf %s')),
  }),
  launch('prefix: missing', 'x', {
    lay: (world) => world.file('home/staging_info.yml', prefix('no-such-program')),
  }),
  launch('prefix: set on PATH by a profile script', 'x', {
    lay: (world) => {
      world.file('home/staging_info.yml', prefix('mine'));
      world.file('deps/bin/mine', '#!/bin/sh\necho "mine: $*"\n', 0o755);
      world.file('profile.d/path.sh', 'export PATH=$DEPS_DIR/bin:$PATH');
    },
  }),
  launch('command: exit code', 'exit 42'),
  launch('command: not found', 'no-such-command'),
  launch('command: syntax error', 'if'),
  launch('command: several lines and quotes', 'echo "a  b"\necho \'$HOME\' `echo c`; echo err >&2'),
  launch('command: stdin', 'cat', { input: 'typed\n' }),
  launch('command: our process', 'echo "pid=$$"'),
  launch('command: dispositions of signals', 'grep -E "SigIgn|SigBlk" /proc/self/status; yes | head -1'),
  launch('command: limits', 'ulimit -Sn; ulimit -Hn; umask'),
  launch('command: dies of a signal', 'kill -9 $$'),
  launch(
    'signal: SIGTERM reaches the app',
    'trap "echo caught; exit 7" TERM; echo ready; while :; do sleep 0.05; done',
    {
      signal: 'SIGTERM',
    },
  ),
  launch('signal: SIGINT ends it', 'echo ready; exec sleep 30', { signal: 'SIGINT' }),
  launch(
    'signal: ignored by the caller',
    'grep SigIgn /proc/self/status; kill -HUP $$; kill -INT $$; echo on',
    {
      ignoresSignals: true,
    },
  ),
  launch('signal: SIGUSR1', 'trap "echo one; exit 0" USR1; echo ready; while :; do sleep 0.05; done', {
    signal: 'SIGUSR1',
  }),
];

/** All of the launcher's. */
export const launcherScenarios: readonly Scenario[] = [
  ...argumentScenarios,
  ...environmentScenarios,
  ...scriptScenarios,
];
