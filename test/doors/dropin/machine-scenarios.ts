/** Disks that are full, and links that lead to themselves. */
import { build, compiler, full, launch, type Scenario } from './scenario.ts';
import type { Scripts } from './world.ts';

/** Bytes that can't be compressed, the same in every run. */
const LARGE = 'openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c 300000';

/** Puts a disk of 64 KiB in the place of a directory beside the current one, seen by the program alone. */
const smallDisk = (name: string): string =>
  `exec unshare --mount sh -c 'mount -t tmpfs -o size=64k none "$1"; shift; exec "$@"' sh "$PWD/../${name}" "$0" "$@"`;

/** Fills the rest of a disk, but for one page. */
const FILL = 'head -c 61440 /dev/zero >';

const disks: readonly Scenario[] = [
  {
    ...build('full disk: the droplet', { a: { ...full, supply: `${LARGE} > "$1/large"` } }),
    shell: smallDisk('out'),
  },
  {
    ...build('full disk: the cache', { a: { ...full, supply: `${LARGE} > "$2/large"` } }),
    shell: smallDisk('out'),
  },
  {
    ...build('full disk: result.json', {
      a: { ...compiler, release: `${FILL} "$1/../out/rest"; head -c 4096 /dev/zero > "$1/../out/more"` },
    }),
    shell: smallDisk('out'),
  },
  {
    ...build('full disk: what a script writes', { a: { ...full, supply: `${LARGE} > "$2/large"; exit $?` } }),
    shell: smallDisk('cache'),
  },
  {
    ...build('full disk: temporary files', { a: { ...full, supply: `${LARGE} > "$3/$4/large"` } }),
    shell: smallDisk('tmp'),
  },
];

/** A buildpack, one of whose scripts is a link that leads to itself. */
const loop = (script: string, scripts: Scripts, detect = false): Scenario =>
  build(
    `link loop: bin/${script}${detect ? ', detected' : ''}`,
    { a: scripts },
    {
      detect,
      lay: (world) => {
        const { [script]: _, ...others } = scripts;
        world.buildpack('a', others);
        world.remove(`${world.buildpackDir('a')}/bin/${script}`);
        world.link(`${world.buildpackDir('a')}/bin/${script}`, script);
      },
    },
  );

const loops: readonly Scenario[] = [
  loop('detect', full, true),
  loop('supply', full),
  loop('finalize', full),
  loop('release', full),
  loop('compile', compiler),
  loop('release', compiler),
  build(
    'link loop: bin',
    { a: full },
    {
      lay: (world) => {
        world.remove(`${world.buildpackDir('a')}/bin`);
        world.link(`${world.buildpackDir('a')}/bin`, 'bin');
      },
    },
  ),
  build(
    'link loop: the interpreter of a script',
    { a: compiler },
    {
      lay: (world) => {
        const text = `#!${world.path('loop')}\necho "default_process_types: {web: x}"\n`;
        world.link('loop', 'loop');
        world.buildpack('a', { ...compiler, release: text });
      },
    },
  ),
  build('link loop: Procfile', { a: full }, { lay: (world) => world.link('app/Procfile', 'Procfile') }),
  build('link loop: in the app', { a: full }, { lay: (world) => world.link('app/loop', 'loop') }),
  build(
    'link loop: the directory of buildpacks',
    { a: full },
    {
      lay: (world) => {
        world.remove('buildpacks');
        world.link('buildpacks', 'buildpacks');
      },
    },
  ),
  launch('link loop: staging_info.yml', '', {
    lay: (world) => world.link('home/staging_info.yml', 'staging_info.yml'),
  }),
  launch('link loop: the app', 'pwd', {
    lay: (world) => world.link('home/loop', 'loop'),
    args: () => ['loop', 'pwd', ''],
  }),
  launch('link loop: .profile', 'echo went on', { lay: (world) => world.link('app/.profile', '.profile') }),
  launch('link loop: .profile.d', 'echo went on', {
    lay: (world) => world.link('app/.profile.d', '.profile.d'),
  }),
];

/** All of these. */
export const machineScenarios: readonly Scenario[] = [...disks, ...loops];
