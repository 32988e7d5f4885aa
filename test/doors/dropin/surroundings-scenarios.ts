/** Signals, working and temporary directories, odd encodings, files that the kernel does not execute. */
import { credhubEnv, fetched } from './platform-scenarios.ts';
import { build, compiler, full, launch, type Scenario } from './scenario.ts';

const utf16 = (text: string): Buffer => Buffer.from(`\ufeff${text}`, 'utf16le');
const octal = (bytes: Buffer): string => [...bytes].map((it) => `\\0${it.toString(8)}`).join('');
const print = (bytes: Buffer): string => `printf '%b' '${octal(bytes)}'`;

const encodings: readonly Scenario[] = [
  build(
    'UTF-16: Procfile',
    { a: full },
    { lay: (world) => world.file('app/Procfile', utf16('web: é x\r\n')) },
  ),
  build(
    'UTF-16: Procfile, big end first',
    { a: full },
    {
      lay: (world) => world.file('app/Procfile', utf16('web: x\n').swap16()),
    },
  ),
  build(
    'UTF-16: Procfile, half a character',
    { a: full },
    {
      lay: (world) => world.file('app/Procfile', Buffer.concat([utf16('web: x'), Buffer.from('y')])),
    },
  ),
  build('UTF-16: release output', {
    a: { ...compiler, release: print(utf16('default_process_types: {web: run}\n')) },
  }),
  launch('UTF-16: staging_info.yml', '', {
    lay: (world) => world.file('home/staging_info.yml', utf16('start_command: echo wide\n')),
  }),
  launch('staging_info.yml: JSON beyond ASCII', '', {
    lay: (world) => world.file('home/staging_info.yml', '{"start_command":"echo é\u2028x"}'),
  }),
];

const elf = Buffer.alloc(128);
elf.write('\x7fELF\x02\x01\x01', 'latin1');
elf.writeUInt16LE(2, 16);
elf.writeUInt16LE(243, 18);

const kernel: readonly Scenario[] = [
  build(
    'kernel: a program of another processor',
    { a: compiler },
    {
      lay: (world) => {
        world.buildpack('a', { ...compiler, release: 'x' });
        world.file(`${world.buildpackDir('a')}/bin/release`, elf, 0o755);
      },
    },
  ),
  build('kernel: an interpreter whose end is not seen', {
    a: { ...compiler, release: `#!/${'x'.repeat(300)}\necho "default_process_types: {web: x}"\n` },
  }),
  build('kernel: an argument whose end is not seen', {
    a: {
      ...compiler,
      release: `#!/bin/sh ${'-e'.repeat(1)}${' '.repeat(300)}\necho "default_process_types: {web: x}"\n`,
    },
  }),
  build('kernel: no interpreter', {
    a: { ...compiler, release: '#!  \necho "default_process_types: {web: x}"\n' },
  }),
];

const signals: readonly Scenario[] = (['SIGUSR1', 'SIGUSR2', 'SIGALRM'] as const).map((signal) => ({
  ...build(`signal: the builder takes no notice of ${signal}`, {
    a: { ...full, supply: `echo ready; sleep 1; kill -s ${signal.slice(3)} $PPID; echo went on` },
  }),
  signal,
}));

const directories: readonly Scenario[] = [
  build(
    'TMPDIR: inside the app',
    { a: full },
    {
      lay: (world) => world.directory('app/tmp'),
      env: (world) => ({ TMPDIR: world.path('app/tmp') }),
    },
  ),
  build("contents: something in the app's place", {
    a: { ...full, supply: 'mkdir "$3/../app"; echo x > "$3/../app/file"' },
  }),
  build("contents: a file in the app's place", { a: { ...full, supply: 'echo x > "$3/../app"' } }),
  build('contents: removed by the buildpack', { a: { ...full, finalize: 'rm -rf "$(dirname "$3")"' } }),
];

const values: readonly Scenario[] = [
  launch('VCAP_APPLICATION: integers beyond 2^53', 'echo "$VCAP_APPLICATION"', {
    env: () => ({
      VCAP_APPLICATION: '{"a":9007199254740993}',
      PORT: '9007199254740993',
      INSTANCE_INDEX: '-9223372036854775808',
    }),
  }),
  build(
    'credhub: NUL in the answer',
    { only: full },
    {
      flags: ['-credhubRetryDelay=1ms'],
      env: (_, servers) => credhubEnv(servers, '{"nul":[{"credentials":{"credhub-ref":"/c/x"}}]}'),
    },
  ),
];

const downloads: readonly Scenario[] = [
  ...['packed.zip', 'nowhere.zip', 'unmodified.zip', "it's/a/../b/%2e%2e/zip.zip?", 'a.zip?<x>=é&b'].map(
    (path) => fetched(`address ${path}`, ({ http }) => `${http}/${path}`),
  ),
  fetched('a host in one number', ({ http }) => http.replace('127.0.0.1', '2130706433').concat('/good.zip')),
  fetched('port 0', () => 'http://127.0.0.1:0/good.zip'),
  fetched('bytes behind the end', ({ http }) => `${http}/trailing.zip`),
];

/** All of these. */
export const surroundingsScenarios: readonly Scenario[] = [
  ...encodings,
  ...kernel,
  ...signals,
  ...directories,
  ...values,
  ...downloads,
];
