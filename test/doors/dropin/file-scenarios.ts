/** Builder: caches, archives, directories that can't be made, the surroundings of scripts. */
import { linkSync } from 'node:fs';
import { build, compiler, full, type Scenario, supplier } from './scenario.ts';
import { type World, xxHash } from './world.ts';

function layCache(world: World): void {
  world.file('cache/final/kept', 'final');
  world.file(`cache/${xxHash('first')}/kept`, 'first');
  world.file(`cache/${xxHash('gone')}/dropped`, 'gone');
  world.file('cache/plain', 'a file');
  world.link('cache/link', 'final');
}

/** All about files. */
export const fileScenarios: readonly Scenario[] = [
  build('cache: cleaned of what is not needed', { first: supplier, second: full }, { lay: layCache }),
  build('cache: in detect mode only final stays', { first: full }, { detect: true, lay: layCache }),
  build(
    'cache: cleaned also when supply fails',
    { first: { supply: 'exit 1' }, second: full },
    { lay: layCache },
  ),
  build(
    'archive: links, modes, pipes, long and odd names',
    { a: full },
    {
      lay: (world) => {
        world.file('app/run.sh', '#!/bin/sh\n', 0o755);
        world.file('app/secret', 's', 0o600);
        world.file('app/setuid', 's', 0o4755);
        world.directory('app/sticky', 0o1777);
        world.directory('app/empty/deeper', 0o750);
        world.link('app/relative', 'run.sh');
        world.link('app/absolute', '/etc/passwd');
        world.link('app/dangling', 'nowhere');
        world.file(`app/${'d'.repeat(90)}/${'f'.repeat(120)}`, 'long');
        world.link(`app/${'l'.repeat(110)}`, 't'.repeat(150));
        world.file('app/with space \u00e9 "quoted"', 'odd');
        world.file('app/one', 'linked');
        linkSync(world.path('app/one'), world.path('app/two'));
        linkSync(world.path('app/one'), world.path('app/empty/three'));
        world.file('app/big', Buffer.alloc(3 * 1024 * 1024, 'big content '));
      },
    },
  ),
  build('archive: pipe and socket', { a: { ...full, supply: 'mkfifo "$1/pipe"; mkfifo "$3/$4/pipe"' } }),
  build('archive: hard links in deps', {
    a: { ...full, supply: 'echo x > "$3/$4/a"; ln "$3/$4/a" "$3/$4/b"' },
  }),
  build('archive: other owners', {
    a: { ...full, supply: 'echo x > "$1/o"; chown 2000:33 "$1/o"; chown -h 1:1 "$1/index.txt"' },
  }),
  build(
    'archive: app directory is a link',
    { a: compiler },
    {
      lay: (world) => {
        world.file('real/index.txt', 'x');
        world.link('linked', 'real');
      },
      flags: ['-buildDir=../linked'],
    },
  ),
  build(
    'archive: app directory missing',
    { a: { ...compiler, compile: 'exit 0' } },
    { flags: ['-buildDir=../nowhere'] },
  ),
  build('archive: droplet in new directories', { a: full }, { flags: ['-outputDroplet=../out/a/b/droplet'] }),
  build('archive: droplet is a directory', { a: full }, { lay: (world) => world.directory('out/droplet') }),
  build(
    'archive: cache archive is a directory',
    { a: full },
    { flags: ['-outputBuildArtifactsCache=../home'] },
  ),
  build(
    'archive: overwrites what is there',
    { a: full },
    {
      lay: (world) => {
        world.file('out/droplet', 'x'.repeat(100_000), 0o600);
        world.file('out/result.json', 'y'.repeat(10_000));
      },
    },
  ),
  build('setup: cache is a file', { a: full }, { flags: ['-buildArtifactsCacheDir=../app/index.txt'] }),
  build('setup: result is a directory', { a: full }, { lay: (world) => world.directory('out/result.json') }),
  build('setup: no temporary directory', { a: full }, { env: (world) => ({ TMPDIR: world.path('none') }) }),
  build(
    'scripts: stdin is empty, cwd is the caller\u2019s, environment is passed on',
    {
      a: {
        ...full,
        supply: 'cat; pwd; env | grep -v "^_=" | sort; grep -E "SigIgn|SigBlk" /proc/self/status',
      },
    },
    { env: () => ({ 'server.port': '1', EMPTY: '', MULTI: 'a\nb', NODE_OPTIONS: '--require /nowhere.js' }) },
  ),
  build('scripts: large output on both streams', { a: { ...full, supply: 'seq 20000; seq 20000 >&2' } }),
];
