/** Builder: flags, order, detect, supply, finalize, compile, release, directories. */
import { build, builderArgs, compiler, full, type Scenario, supplier } from './scenario.ts';
import { type Scripts, xxHash } from './world.ts';

const many = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`bp${index}`, supplier]));

/** Only arguments. */
function flags(name: string, ...args: readonly string[]): Scenario {
  return { name: `flags: ${name}`, program: 'builder', lay: () => {}, args: () => args };
}

const flagScenarios: readonly Scenario[] = [
  flags('help', '-h'),
  flags('long help', '--help'),
  flags('unknown', '-bogus', 'x'),
  flags('bad boolean', '-skipDetect=maybe'),
  flags('bad integer', '-credhubConnectAttempts=three'),
  flags('integer too large', '-credhubConnectAttempts', '99999999999999999999'),
  flags('bad duration', '-credhubRetryDelay=3'),
  flags('missing value', '-buildDir'),
  flags('empty values', '-buildDir=', '--outputDroplet', '', '-skipDetect'),
  flags('no order', '-skipDetect'),
  flags('bad syntax', '-=x'),
  flags('three dashes', '---buildDir=x'),
  flags('odd characters', '-credhubRetryDelay=a"b\tc\u00e9\u200b'),
  flags('terminator', '--', '-bogus'),
  {
    ...build('flags: two dashes, separate values, hex and long durations', { only: full }),
    args: (world) => [
      ...builderArgs(
        world,
        'x',
        '--skipDetect=T',
        '-credhubConnectAttempts',
        '0x_3',
        '-credhubRetryDelay=1m0.5s',
      ),
      '--buildpackOrder',
      'only',
      'ignored',
      '-bogus',
    ],
  },
  {
    ...build('flags: relative and untidy paths', { only: full }),
    args: () => [
      '-buildDir=../app/',
      '-buildpacksDir=.././buildpacks',
      '-buildArtifactsCacheDir=../cache//',
      '-outputDroplet=../out/./droplet',
      '-outputMetadata=../out/result.json',
      '-outputBuildArtifactsCache=../out/cache.tgz',
      '-buildpackOrder=only',
      '-skipDetect',
    ],
  },
];

const withDetect = (script: string): Scripts => ({ ...full, detect: script });

const detectScenarios: readonly Scenario[] = [
  build(
    'detect: the first that agrees',
    { no: withDetect('echo no; exit 1'), yes: full, later: full },
    { detect: true },
  ),
  build('detect: output with line ends', { a: withDetect("printf 'name <&> é\\n\\r\\n'") }, { detect: true }),
  build(
    'detect: output that is not UTF-8',
    { a: withDetect("printf 'a\\377b\\342\\202'") },
    { detect: true },
  ),
  build('detect: nobody agrees', { a: withDetect('exit 3'), b: withDetect('kill -9 $$') }, { detect: true }),
  build(
    'detect: not executable',
    { a: full },
    {
      detect: true,
      order: 'plain,a',
      lay: (world) => world.buildpack('plain', full, { modes: { detect: 0o644 } }),
    },
  ),
  build(
    'detect: executable for some',
    { a: withDetect('echo some') },
    {
      detect: true,
      lay: (world) => world.buildpack('a', full, { modes: { detect: 0o744 } }),
    },
  ),
  build(
    'detect: no script, no directory, malformed',
    { compile: { compile: 'echo never' }, a: full },
    {
      detect: true,
      order: 'compile,nowhere,broken,a',
      lay: (world) => world.file(`buildpacks/${xxHash('broken')}/lib/x`, 'x'),
    },
  ),
  build(
    'detect: one candidate with launch.yml',
    {
      a: { ...full, finalize: 'printf "processes: [{type: web, command: launched}]" > "$3/$4/launch.yml"' },
    },
    { detect: true },
  ),
  build(
    'detect: two candidates, launch.yml not seen',
    {
      no: withDetect('exit 1'),
      a: { ...full, finalize: 'printf "processes: [{type: web, command: launched}]" > "$3/$4/launch.yml"' },
    },
    { detect: true },
  ),
  build(
    'detect: name from config.yml',
    { a: { ...full, supply: 'printf "name: configured" > "$3/$4/config.yml"' } },
    {
      detect: true,
    },
  ),
  build(
    'detect: eleven candidates, the last agrees',
    {
      ...Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`no${i}`, withDetect('exit 1')])),
      yes: full,
    },
    { detect: true },
  ),
  build('detect: compile fails', { a: { ...compiler, compile: 'exit 9' } }, { detect: true }),
];

const orderScenarios: readonly Scenario[] = [
  build('order: one full', { only: full }),
  build('order: detect is not asked', { only: { ...full, detect: 'exit 1' } }),
  build('order: compile only', { old: compiler }),
  build('order: compile with a supply that is not run', {
    old: { ...compiler, supply: 'echo never; exit 1' },
  }),
  build('order: supply then full', { first: supplier, second: full }),
  build('order: three', { first: supplier, second: supplier, third: full }),
  build('order: supply then compile warns', { first: supplier, old: compiler }),
  build('order: finalize without supply', { first: supplier, last: { finalize: 'ls "$3/$4"; exit 0' } }),
  build('order: eleven, padded', { ...many, last: full }),
  build('order: eleven with launch.yml under padded and plain names', {
    ...many,
    bp3: { supply: 'printf "processes: [{type: three, command: c}]" > "$3/$4/launch.yml"' },
    bp10: { supply: 'printf "processes: [{type: ten, command: c}]" > "$3/$4/launch.yml"' },
    last: full,
  }),
  build('order: eleven with config.yml', {
    ...many,
    bp3: { supply: 'printf "name: three\\nversion: 1.10" > "$3/$4/config.yml"' },
    last: full,
  }),
  build('order: the same buildpack twice', { twice: full }, { order: 'twice,twice' }),
  build('order: an empty key', { a: full }, { order: ',a' }),
  build('order: one without supply in the middle', { a: supplier, old: compiler, b: full }),
  build('order: supply fails', { a: { supply: 'echo trying; exit 4' }, b: full }),
  build('order: second supply fails', { a: supplier, b: { supply: 'exit 5' }, c: full }),
  build('order: supply dies of a signal', { a: { supply: 'kill -TERM $$' }, b: full }),
  build('order: final supply fails', { a: supplier, b: { ...full, supply: 'exit 6' } }),
  build('order: finalize fails after config.yml', {
    a: { supply: 'printf "name: A\\nversion: 1" > "$3/$4/config.yml"' },
    b: { ...full, finalize: 'printf "name: B" > "$3/$4/config.yml"; exit 7' },
  }),
  build('order: compile fails', { a: { ...compiler, compile: 'exit 8' } }),
  build('order: release fails', { a: { ...compiler, release: 'echo x; exit 9' } }),
  build('order: release missing', { a: { compile: 'exit 0' } }),
  build('order: neither finalize nor compile', { a: { release: 'exit 0' } }),
  build(
    'order: compile not executable',
    { a: compiler },
    {
      lay: (world) => world.buildpack('a', compiler, { modes: { compile: 0o644 } }),
    },
  ),
  build('order: finalize without shebang', { a: { ...full, finalize: 'RAW:echo hi' } }),
  build('order: finalize empty', { a: { ...full, finalize: 'RAW:' } }),
  build('order: interpreter missing', { a: { ...full, finalize: '#!/no/such/interpreter\n' } }),
  build(
    'order: supply is a directory',
    {},
    {
      order: 'a,b',
      lay: (world) => {
        world.directory(`buildpacks/${xxHash('a')}/bin/supply`);
        world.buildpack('b', full);
      },
    },
  ),
  build('order: first unknown', { b: full }, { order: 'nobody,b' }),
  build('order: last unknown', { a: supplier }, { order: 'a,nobody' }),
  build(
    'order: malformed first',
    { b: full },
    {
      order: 'broken,b',
      lay: (world) => world.file(`buildpacks/${xxHash('broken')}/lib/x`, 'x'),
    },
  ),
  build(
    'order: malformed last with two directories',
    { a: supplier },
    {
      order: 'a,broken',
      lay: (world) => {
        world.file(`buildpacks/${xxHash('broken')}/one/bin/supply`, 'x');
        world.file(`buildpacks/${xxHash('broken')}/two/bin/supply`, 'x');
      },
    },
  ),
  build(
    'order: a key that holds another sentence decides the exit code',
    { b: full },
    {
      order: 'b,Failed to compile droplet',
      lay: (world) => world.file(`buildpacks/${xxHash('Failed to compile droplet')}/x`, 'x'),
    },
  ),
  build(
    'directories: md5',
    {},
    { order: 'old', lay: (world) => world.buildpack('old', full, { md5: true }) },
  ),
  build(
    'directories: nested',
    {},
    { order: 'n', lay: (world) => world.buildpack('n', full, { nested: 'inner-1.2' }) },
  ),
  build(
    'directories: nested md5',
    {},
    {
      order: 'n',
      lay: (world) => world.buildpack('n', full, { nested: 'inner', md5: true }),
    },
  ),
  build(
    'directories: xxhash before md5',
    { both: full },
    {
      lay: (world) => world.buildpack('both', compiler, { md5: true }),
    },
  ),
  build(
    'directories: empty xxhash, nested md5',
    {},
    {
      order: 'n',
      lay: (world) => {
        world.directory(`buildpacks/${xxHash('n')}`);
        world.buildpack('n', full, { nested: 'inner', md5: true });
      },
    },
  ),
  build(
    'directories: nested twice is malformed',
    {},
    {
      order: 'n',
      lay: (world) => world.buildpack('n', full, { nested: 'a/b' }),
    },
  ),
];

/** All of the builder's own. */
export const builderScenarios: readonly Scenario[] = [
  ...flagScenarios,
  ...detectScenarios,
  ...orderScenarios,
];
