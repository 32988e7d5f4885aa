/** The builder by itself, through bin/builder; the original need not be there. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OURS } from './programs.ts';
import { builderArgs, compiler, full, supplier } from './scenario.ts';
import { snapshotOf } from './snapshot.ts';
import { World } from './world.ts';

let base: string;
let world: World;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'dropin-builder-'));
  world = new World(join(base, 'world'));
  world.file('app/index.txt', 'app');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(order: string, flags: readonly string[], env: Readonly<Record<string, string>> = {}): Ran {
  const { status, stdout, stderr } = spawnSync(OURS.builder, builderArgs(world, order, ...flags), {
    encoding: 'utf8',
    cwd: world.path('home'),
    env: { PATH: process.env['PATH'], TMPDIR: world.path('tmp'), ...env },
  });
  return { status, stdout, stderr };
}

const result = (): unknown => JSON.parse(readFileSync(world.path('out/result.json'), 'utf8'));

describe('builder', () => {
  it('#9 stages supply buildpacks and a last one into a droplet with all their dependencies', async () => {
    world.buildpack('a', supplier);
    world.buildpack('b', full);
    expect(run('a,b', ['-skipDetect'])).toMatchObject({ status: 0 });
    const { droplet = [], tmp } = await snapshotOf(world);
    const names = droplet.map((line) => line.split(' ')[0]);
    expect(names).toEqual(
      expect.arrayContaining(['./app/finalized', './deps/0/supplied', './deps/1/supplied']),
    );
    expect(names).toEqual(expect.arrayContaining(['./logs/', './tmp/', './profile.d/finalized.sh']));
    expect(tmp).toEqual([]);
    expect(result()).toMatchObject({
      lifecycle_metadata: { buildpack_key: 'b', buildpacks: [{ key: 'a' }, { key: 'b' }] },
      process_types: { web: 'run web' },
    });
  });

  it('#3 ends with 222 and no droplet when no buildpack detects the app', () => {
    world.buildpack('a', { ...full, detect: 'exit 1' });
    const ran = run('a', []);
    expect(ran).toMatchObject({
      status: 222,
      stderr: 'None of the buildpacks detected a compatible application\n',
    });
    expect(readdirSync(world.path('out'))).toEqual([]);
  });

  it('#11 runs no supply at all when one buildpack has none, and ends with 225', () => {
    world.buildpack('a', supplier);
    world.buildpack('old', compiler);
    world.buildpack('b', full);
    const ran = run('a,old,b', ['-skipDetect']);
    expect(ran).toMatchObject({ status: 225, stdout: '' });
    expect(ran.stderr).toContain('does not support multi-buildpack apps');
  });

  it.each([{ md5: true }, { nested: 'inner-1.2' }, { nested: 'inner', md5: true }])(
    '#26 #27 finds a buildpack whose directory is laid out as %j',
    (layout) => {
      world.buildpack('a', compiler, layout);
      expect(run('a', ['-skipDetect'])).toMatchObject({ status: 0 });
      expect(result()).toMatchObject({ process_types: { web: 'run compiled' } });
    },
  );

  it('#35 writes result.json with null process types when finalize fails, and ends with 223', () => {
    world.buildpack('a', {
      ...full,
      finalize: 'printf "name: A\\nversion: 1.10" > "$3/$4/config.yml"; exit 7',
    });
    expect(run('a', ['-skipDetect'])).toMatchObject({
      status: 223,
      stderr: expect.stringContaining(
        'Failed to compile droplet: Failed to run finalize script: exit status 7\n',
      ),
    });
    expect(result()).toEqual({
      lifecycle_metadata: {
        buildpack_key: 'a',
        detected_buildpack: 'A',
        buildpacks: [{ key: 'a', name: 'A', version: '1.10' }],
      },
      process_types: null,
      execution_metadata: '',
      lifecycle_type: 'buildpack',
    });
  });

  it('#39 pads the index of ten buildpacks and looks launch.yml up without padding', () => {
    const keys = Array.from({ length: 9 }, (_, index) => `bp${index}`);
    for (const key of keys) world.buildpack(key, supplier);
    world.buildpack('bp3', {
      supply: 'echo "index $4"; echo "processes: [{type: lost, command: x}]" > "$3/$4/launch.yml"',
    });
    world.buildpack('last', full);
    const ran = run([...keys, 'last'].join(','), ['-skipDetect']);
    expect(ran.stdout).toContain('index 03\n');
    expect(result()).toMatchObject({ process_types: { web: 'run web' } });
  });

  it('lets a release script write to /dev/stdout', () => {
    world.buildpack('a', { ...compiler, release: 'echo "default_process_types: {web: x}" > /dev/stdout' });
    expect(run('a', ['-skipDetect']).status).toBe(0);
    expect(result()).toMatchObject({ process_types: { web: 'x' } });
  });

  it('hands on variables that a shell would drop, and nothing of its own', () => {
    world.buildpack('a', { ...compiler, compile: 'tr "\\0" "\\n" < "/proc/$$/environ" | sort' });
    const ran = run('a', ['-skipDetect'], { 'server.port': '8080', NODE_OPTIONS: '--require /nowhere.js' });
    const names = ran.stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    expect(names).toEqual(['NODE_OPTIONS', 'PATH', 'TMPDIR', 'server.port']);
  });

  it('ends with 3 for broken platform options, 4 for CredHub, 1 for flags, 2 for unknown ones', () => {
    expect(run('a', [], { VCAP_PLATFORM_OPTIONS: '{' })).toMatchObject({
      status: 3,
      stderr: 'Invalid platform options: unexpected end of JSON input',
    });
    const credhub = {
      VCAP_PLATFORM_OPTIONS: '{"credhub-uri":"https://x"}',
      VCAP_SERVICES: '{"credhub-ref":1}',
    };
    expect(
      run('a', [], { ...credhub, VCAP_SERVICES: '{"a":[{"credentials":{"credhub-ref":"/x"}}]}' }),
    ).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('Missing CF_INSTANCE_CERT and/or CF_INSTANCE_KEY'),
    });
    expect(run('a', ['-buildDir='])).toMatchObject({ status: 1, stderr: 'missing flag: -buildDir\n' });
    expect(run('a', ['-bogus'])).toMatchObject({ status: 2 });
  });

  it('#38 refuses to let a zip write through a link out of its directory', async () => {
    const zip = join(base, 'evil.zip');
    world.link('evil/out', world.path('home'));
    spawnSync('zip', ['-qry', zip, 'out'], { cwd: world.path('evil') });
    rmSync(world.path('evil/out'));
    world.file('evil/out/victim', 'written');
    spawnSync('zip', ['-qr', zip, 'out/victim'], { cwd: world.path('evil') });
    const server = createServer((_, response) => response.end(readFileSync(zip)));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address: AddressInfo | string | null = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const args = builderArgs(world, `http://127.0.0.1:${port}/evil.zip`, '-skipDetect');
    await new Promise<void>((done) => {
      execFile(
        OURS.builder,
        [...args],
        { env: { PATH: process.env['PATH'], TMPDIR: world.path('tmp') } },
        () => done(),
      );
    });
    server.close();
    expect(readdirSync(world.path('home'))).toEqual([]);
  });
});
