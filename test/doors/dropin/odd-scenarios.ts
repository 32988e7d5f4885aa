/** Working directories that can't be read, limits, doubled names, numbers that no double holds, odd zips. */
import { credhubEnv, fetched, REFS } from './platform-scenarios.ts';
import { build, compiler, full, launch, type Scenario } from './scenario.ts';

const ANOTHER_USER = 'exec setpriv --reuid 1234 --regid 1234 --clear-groups "$0" "$@"';
const PLACES: Readonly<Record<string, string>> = {
  'that was removed': 'mkdir gone; cd gone; rmdir ../gone',
  'that was removed, without PWD': 'mkdir gone; cd gone; rmdir ../gone; unset PWD',
  'of another user': ANOTHER_USER,
  'of another user, without PWD': `unset PWD; ${ANOTHER_USER}`,
  'that PWD does not name': 'PWD=/nowhere; export PWD',
  'that PWD names through a link': 'ln -s . link; PWD=$PWD/link; export PWD',
};

const places: readonly Scenario[] = Object.entries(PLACES).flatMap(([name, shell]) => [
  launch(`directory ${name}`, 'pwd; echo "$HOME $PWD"', { shell }),
  launch(`directory ${name}, a relative app`, '', {
    shell,
    args: () => ['app', 'pwd; echo "$HOME $TMPDIR $PWD"', ''],
  }),
  launch(`directory ${name}, an absolute app`, '', {
    shell,
    args: (world) => [world.path('app'), 'pwd; echo "$HOME"', ''],
  }),
  { ...build(`directory ${name}`, { a: full }), shell },
]);

/** Bytes that can't be compressed, the same in every run. */
const LARGE = 'openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c 3000000';
const limits: readonly Scenario[] = [
  {
    ...build(
      'file size: a file of the app that is too large',
      { a: full },
      {
        lay: (world) => world.file('app/sub/large', Buffer.alloc(3_000_000, 'x')),
      },
    ),
    shell: 'ulimit -f 4000',
  },
  {
    ...build('file size: a droplet that is too large', { a: { ...full, supply: `${LARGE} > "$1/large"` } }),
    shell: 'ulimit -f 4000',
  },
  {
    ...build('file size: a cache that is too large', { a: { ...full, supply: `${LARGE} > "$2/large"` } }),
    shell: 'ulimit -f 4000',
  },
  {
    ...build('file size: a script that writes too much', { a: { ...full, supply: `${LARGE} > "$1/large"` } }),
    shell: 'ulimit -f 1000',
  },
  { ...build('file size: nothing can be written', { a: compiler }), shell: 'ulimit -f 0' },
];

/** Runs a program with variables that no shell would hand on twice. */
const TWICE = (...variables: readonly string[]): string =>
  `exec python3 -c '
import ctypes, sys
def array(texts): return (ctypes.c_char_p * (len(texts) + 1))(*[it.encode() for it in texts], None)
variables = ["PATH=/usr/bin:/bin", ${variables.map((it) => JSON.stringify(it)).join(', ')}]
ctypes.CDLL(None).execve(sys.argv[1].encode(), array(sys.argv[1:]), array(variables))' "$0" "$@"`;

const doubled: readonly Scenario[] = [
  launch('doubled: variables', 'env | sort', {
    shell: TWICE('A=1', 'A=2', 'B.c=1', 'B.c=2', 'PATH=/nowhere'),
  }),
  launch('doubled: PORT', 'echo "$PORT $VCAP_APPLICATION"', {
    shell: TWICE('PORT=1', 'PORT=2', 'VCAP_APPLICATION={}', 'VCAP_APPLICATION={\\"a\\":1}'),
  }),
  { ...build('doubled: variables', { a: { ...full, supply: 'env | grep ^A' } }), shell: TWICE('A=1', 'A=2') },
  ...Object.entries({
    'uri first': '{"db":[{"credentials":{"uri":"postgres://h/a"},"credentials":{"x":1}}]}',
    'uri last': '{"db":[{"credentials":{"x":1},"credentials":{"uri":"postgres://h/a"}}]}',
    'two uris': '{"db":[{"credentials":{"uri":"postgres://h/a"},"credentials":{"uri":"mysql://h/b"}}]}',
    'null last': '{"db":[{"credentials":{"uri":"postgres://h/a"},"credentials":null}]}',
    'a text last': '{"db":[{"credentials":{"uri":"postgres://h/a"},"credentials":"x"}]}',
    'other case': '{"db":[{"credentials":{"uri":"postgres://h/a"},"CREDENTIALS":{"x":1}}]}',
    'uri within': '{"db":[{"credentials":{"uri":"postgres://h/a","uri":"mysql://h/b"}}]}',
    'uri within, null last': '{"db":[{"credentials":{"uri":"postgres://h/a","uri":null}}]}',
    label: '{"db":[{"credentials":{"uri":"postgres://h/a"}}],"db":[{"credentials":{"x":1}}]}',
    'label, the second longer':
      '{"db":[{"credentials":{"uri":"postgres://h/a"}}],"db":[{},{"credentials":{"uri":"mysql://h/b"}}]}',
  }).map(([name, services]) =>
    launch(`doubled credentials: ${name}`, 'echo "$DATABASE_URL"', {
      env: () => ({ VCAP_SERVICES: services }),
    }),
  ),
];

const launchYml = (memory: string) =>
  build(`memory: ${memory}`, {
    a: {
      ...full,
      supply: `printf 'processes:\\n- type: web\\n  command: x\\n  limits: {memory: ${memory}}\\n- type: side\\n  command: y\\n  limits: {memory: ${memory}}\\n  platforms: {cloudfoundry: {sidecar_for: [web]}}\\n' > "$3/$4/launch.yml"`,
    },
  });

const numbers: readonly Scenario[] = [
  ...[
    '9007199254740993',
    '9223372036854775807',
    '9223372036854775808',
    '-5',
    '0x20000000000001',
    '1e3',
    '12.0',
    '12.5',
  ].map(launchYml),
  ...['9223372036854775807', '9223372036854775808', '-9007199254740993', '009007199254740993'].map((port) =>
    launch(`number: PORT ${port}`, 'echo "$VCAP_APPLICATION"', {
      env: () => ({
        VCAP_APPLICATION: '{"limits":{"mem":9007199254740993}}',
        PORT: port,
        INSTANCE_INDEX: port,
      }),
    }),
  ),
];

const info = (name: string, bytes: Buffer): Scenario =>
  launch(`staging_info.yml: not UTF-8, ${name}`, '', {
    lay: (world) => world.file('home/staging_info.yml', bytes),
  });
const latin = (text: string): Buffer => Buffer.from(text, 'latin1');

const texts: readonly Scenario[] = [
  info('JSON, the command', latin('{"start_command":"echo \xe9 x"}')),
  info('JSON, another value', latin('{"detected_buildpack":"\xff","start_command":"echo other"}')),
  info('JSON, a name', latin('{"\xfe":"a","start_command":"echo name"}')),
  info('JSON, a cut character', latin('{"start_command":"echo \xe2\x82"}')),
  info(
    'a character whose second half looks like a mark',
    Buffer.from('{"start_command":"echo \u{1f3ff} x"}'),
  ),
  info('YAML, the same', Buffer.from('start_command: echo \u{1f3ff}\n')),
  info('YAML, cut', latin('start_command: echo \xe2\x82')),
  info('YAML, too long', latin('start_command: echo \xc0\xaf\n')),
  info('YAML, half a pair', latin('start_command: echo \xed\xa0\x80\n')),
  info('YAML', latin('start_command: echo \xe9 x\n')),
];

const answers: readonly Scenario[] = [
  ...['number', 'object', 'list', 'nothing'].map((kind) =>
    build(
      `credhub: an error that is a ${kind}`,
      { only: full },
      {
        flags: ['-credhubRetryDelay=1ms', '-credhubConnectAttempts=1'],
        env: (_, servers) => credhubEnv(servers, REFS.replace('<n>', `error-${kind}`)),
      },
    ),
  ),
];

const zips: readonly Scenario[] = [
  ...['creator10.zip', 'creator0.zip', 'creator19.zip'].map((name) =>
    fetched(`made by ${name}`, ({ http }) => `${http}/${name}`),
  ),
  ...['clash.zip', 'upper.zip'].map((name) => fetched(`entries of ${name}`, ({ http }) => `${http}/${name}`)),
  { ...fetched('where nobody may write', ({ http }) => `${http}/good.zip`), shell: ANOTHER_USER },
  {
    ...fetched('a file that is too large', ({ http }) => `${http}/good.zip`),
    shell: 'ulimit -f 0',
  },
];

/** All of these. */
export const oddScenarios: readonly Scenario[] = [
  ...places,
  ...limits,
  ...doubled,
  ...numbers,
  ...texts,
  ...answers,
  ...zips,
];
