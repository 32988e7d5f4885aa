/** Builder: what apps and buildpacks write as YAML, generated from tables of documents. */
import { build, full, type Scenario } from './scenario.ts';
import type { Scripts } from './world.ts';

const PROCFILES: Readonly<Record<string, string>> = {
  web: 'web: ./serve',
  'several, one over release': 'web: mine\nworker: ./work\nclock: ./tick\n',
  'without web': 'worker: x',
  'not YAML': '[',
  'a list': '- web\n- worker',
  'a word': 'hello',
  empty: '',
  'only a comment': '# nothing\n',
  'scalars of other types': 'web: 8080\nyes: true\nnull: 1.50\na: 0x1F\nb: 2001-01-01\nc: ~\n',
  'null value': 'web:\nworker: null\n',
  'a map as value': 'web: {a: b}\nworker: x',
  'duplicate keys': 'web: one\nweb: two\n',
  'quoted and folded':
    'web: "a \\"b\\" \\u00e9"\nw: \'it\'\'s\'\nx: >\n  two\n  lines\ny: |\n  kept\n  lines\n',
  'windows line ends': 'web: run\r\nworker: work\r\n',
  anchors: 'web: &c ./run\nworker: *c\n',
  'merge keys': 'base: &b\n  x: y\n',
  'html characters': 'web: a < b && c > d\n',
  tabs: 'web:\t./run\n',
  'several documents': 'web: one\n---\nweb: two\n',
  'explicit tags': 'web: !!str 1\nworker: !foo bar\n',
  'no space after colon': 'web:run\n',
  'colon in value': 'web: run: now\n',
  'unicode names': 'wéb: x\n',
  'document end': 'web: x\n...\n',
  'first line indented': ' web: x\nworker: y\n',
  'byte order mark': '\ufeffweb: x\r\nworker: y\r\n',
  'no line end after a block': 'web: |\n  run\n  it',
  'a line without colon': 'web: x\nworker\nclock: y\n',
  'a colon of its own': 'web: x\n: y\n',
};

const LAUNCHES: Readonly<Record<string, string>> = {
  processes: 'processes:\n- type: web\n  command: ./w\n- type: worker\n  command: ./x\n',
  sidecar:
    'processes:\n- {type: web, command: w}\n- type: agent\n  command: ./agent\n  limits: {memory: 64}\n  platforms: {cloudfoundry: {sidecar_for: [web, worker]}}\n',
  'sidecar without memory':
    'processes:\n- {type: a, command: "<&>", platforms: {cloudfoundry: {sidecar_for: [web]}}}\n',
  duplicates: 'processes:\n- {type: web, command: one}\n- {type: web, command: two}\n',
  empty: '',
  'no processes': 'other: 1\n',
  'null processes': 'processes:\n',
  'unknown keys': 'processes:\n- {type: web, command: x, extra: {deep: [1]}}\nlabels: []\n',
  'numbers as texts': 'processes:\n- {type: 1, command: 2.50}\n',
  'memory as float':
    'processes:\n- {type: a, command: x, limits: {memory: 64.9}, platforms: {cloudfoundry: {sidecar_for: [web]}}}\n',
  'memory negative':
    'processes:\n- {type: a, command: x, limits: {memory: -1}, platforms: {cloudfoundry: {sidecar_for: [web]}}}\n',
  'memory as text': 'processes:\n- {type: a, command: x, limits: {memory: lots}}\n',
  'command a list': 'processes:\n- type: web\n  command: [a, b]\n',
  'processes a map': 'processes:\n  web: x\n',
  'processes a text': 'processes: web\n',
  'process a text': 'processes: [web, {type: x, command: y}]\n',
  'platforms a text': 'processes:\n- {type: web, command: x, platforms: cf}\n',
  'cloudfoundry a list': 'processes:\n- {type: web, command: x, platforms: {cloudfoundry: []}}\n',
  'sidecar_for a text':
    'processes:\n- {type: web, command: x, platforms: {cloudfoundry: {sidecar_for: web}}}\n',
  'limits a list': 'processes:\n- {type: web, command: x, limits: [1]}\n',
  'several mistakes': 'processes:\n- type: [a]\n  command: {b: c}\n- limits: {memory: averylongword}\n',
  'a list': '- a\n',
  'a text': 'text\n',
  'unclosed list': 'processes: [\n',
  'unclosed quote': 'processes:\n- type: "web\n',
  'bad indentation': 'processes:\n- type: web\n   command: x\n  limits: 1\n',
  'nested colon': 'processes:\n- type: web: x\n',
  'tab indentation': 'processes:\n\t- type: web\n',
  'unknown alias': 'processes: *nope\n',
  'control character': 'processes:\n- type: "\u0001"\n',
  'at sign': 'processes:\n- type: @web\n',
  percent: '%processes\n',
  merge:
    'base: &b {type: web, command: one}\nprocesses:\n- <<: *b\n  command: two\n- <<: [*b, {type: never}]\n',
  'bad merge': 'processes:\n- <<: text\n',
  'flow at column 1': 'processes: [\n{type: web,\ncommand: "a\nb"}\n]\n',
  'words behind a quoted scalar': 'processes:\n- type: "web" x\n',
  'bad block header': 'processes:\n- type: |-x\n    web\n',
  'bad escape': 'processes:\n- type: "\\q"\n',
  'less indented item': 'processes:\n  - type: web\n - type: x\n',
  'tag without handle': 'processes: !a!b []\n',
  'other version of YAML': '%YAML 1.2\n---\nprocesses: []\n',
  'key of several lines': 'processes:\n- type\n  more: web\n',
};

const RELEASES: Readonly<Record<string, string>> = {
  nothing: '',
  'empty map': '--- {}\n',
  null: '---\n',
  'null types': 'default_process_types:\n',
  'other keys': 'config_vars: {A: b}\naddons: [x]\ndefault_process_types:\n  web: x\n  console: y\n',
  'a list as command': 'default_process_types: {web: [a]}\n',
  'types a list': 'default_process_types: [a]\n',
  'types a text': 'default_process_types: web\n',
  'a text': 'hello world\n',
  'not YAML': 'default_process_types: {web: x\n',
  'bad mapping': 'a: b: c\n',
  'bad token': 'web: `x`\n',
};

const CONFIGS: Readonly<Record<string, string>> = {
  all: 'name: Ruby\nversion: 1.10.0\nconfig:\n  entrypoint_prefix: /bin/wrap\n  other: 1\noutput_metadata:\n  b: 1\n  a: text\n',
  versions: 'name: 007\nversion: 1.10\n',
  'date and boolean': 'name: yes\nversion: 2020-01-02\n',
  'empty config': 'name: x\nconfig: {}\n',
  'null config': 'name: x\nconfig:\n',
  'key overwritten': 'key: other\nname: x\n',
  'partly wrong': 'name: [a]\nversion: 3\nconfig: text\n',
  'not YAML': 'name: [\n',
  'metadata of scalars':
    'output_metadata: {i: 1, f: 1.5, e: 1e30, t: true, n: null, s: "<x>", d: 2020-01-02, big: 18446744073709551615, l: [1, a, null]}\n',
  'nested metadata': 'name: x\noutput_metadata: {a: {b: c}}\n',
  'nested metadata in a list': 'output_metadata: {a: [{b: c}]}\n',
  'infinite metadata': 'output_metadata: {a: .inf}\n',
  'metadata a list': 'name: x\noutput_metadata: [a]\n',
  'empty metadata': 'output_metadata: {}\n',
};

/** Writes `content` to `file` without a shell's own reading of it. */
function writing(content: string, file: string): string {
  return `base64 -d > "${file}" <<'B64'\n${Buffer.from(content).toString('base64')}\nB64`;
}

function each(
  family: string,
  documents: Readonly<Record<string, string>>,
  scriptsOf: (content: string) => Scripts,
): readonly Scenario[] {
  return Object.entries(documents).map(([name, content]) =>
    build(`${family}: ${name}`, { only: scriptsOf(content) }),
  );
}

/** All documents of all kinds. */
export const yamlScenarios: readonly Scenario[] = [
  ...Object.entries(PROCFILES).map(([name, content]) =>
    build(`Procfile: ${name}`, { only: full }, { lay: (world) => world.file('app/Procfile', content) }),
  ),
  build('Procfile: a directory', { only: full }, { lay: (world) => world.directory('app/Procfile') }),
  build('Procfile: written by finalize', { only: { ...full, finalize: 'echo "web: late" > "$1/Procfile"' } }),
  ...each('launch.yml', LAUNCHES, (content) => ({ ...full, finalize: writing(content, '$3/$4/launch.yml') })),
  build('launch.yml: a directory', { only: { ...full, finalize: 'mkdir "$3/$4/launch.yml"' } }),
  build(
    'launch.yml: of supply, then release, then Procfile',
    {
      first: { supply: writing(LAUNCHES['sidecar'] ?? '', '$3/$4/launch.yml') },
      second: full,
    },
    { lay: (world) => world.file('app/Procfile', 'agent: now a process\n') },
  ),
  build('launch.yml: of supply is broken', {
    first: { supply: writing('processes: 1', '$3/$4/launch.yml') },
    second: full,
  }),
  build('launch.yml: of the last keeps release from running', {
    only: { ...full, finalize: writing(LAUNCHES['processes'] ?? '', '$3/$4/launch.yml'), release: 'exit 1' },
  }),
  ...each('release', RELEASES, (content) => ({ ...full, release: writing(content, '/dev/stdout') })),
  ...each('config.yml', CONFIGS, (content) => ({ ...full, finalize: writing(content, '$3/$4/config.yml') })),
];
