/** The launcher by itself, through bin/launcher; the original need not be there. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OURS } from './programs.ts';
import { World } from './world.ts';

let base: string;
let world: World;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'dropin-launcher-'));
  world = new World(join(base, 'world'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ReturnType<typeof spawnSync> {
  const options = { encoding: 'utf8', cwd: world.root, env: { PATH: process.env['PATH'], ...env } } as const;
  return spawnSync(OURS.launcher, args, options);
}

const LINES = 'Invoking pre-start scripts.\nInvoking start command.\n';

describe('launcher', () => {
  it('#40 sources profile.d, .profile.d and .profile in this order before the command', () => {
    world.file('profile.d/a.sh', 'ORDER="$ORDER 1"');
    world.file('app/.profile.d/a.sh', 'ORDER="$ORDER 2"');
    world.file('app/.profile', 'export ORDER="$ORDER 3"');
    expect(run(['app', 'echo "$ORDER"', '']).stdout).toBe(`${LINES} 1 2 3\n`);
  });

  it('#41 sets HOME, TMPDIR, DEPS_DIR and the instance in VCAP_APPLICATION, and keeps the exit code', () => {
    const ran = run(['app', 'echo $HOME $TMPDIR $DEPS_DIR; echo "$VCAP_APPLICATION"; exit 42', ''], {
      VCAP_APPLICATION: '{"b":1,"a":"<"}',
      PORT: '8080',
      INSTANCE_GUID: 'g',
      INSTANCE_INDEX: '0',
    });
    const { root } = world;
    const application =
      '{"a":"\\u003c","b":1,"host":"0.0.0.0","instance_id":"g","instance_index":0,"port":8080}';
    expect(ran.stdout).toBe(`${LINES}${root}/app ${root}/tmp ${root}/deps\n${application}\n`);
    expect(ran.status).toBe(42);
  });

  it('#42 gives the command to the entrypoint prefix, and ends with 127 when that is missing', () => {
    world.file('staging_info.yml', '{"config":{"entrypoint_prefix":"/bin/echo got"}}');
    expect(run(['app', 'a  b', '']).stdout).toBe(`${LINES}got a  b\n`);
    world.file('staging_info.yml', 'config: {entrypoint_prefix: no-such-program}');
    expect(run(['app', 'x', '']).status).toBe(127);
  });

  it('hands no blocked signal on to the app', () => {
    const ran = run(['app', 'grep SigBlk /proc/self/status; kill -s USR1 $$; echo still here', '']);
    expect(ran.stdout).toBe(`${LINES}SigBlk:\t0000000000000000\n`);
    expect(ran.signal).toBe('SIGUSR1');
  });

  it('#43 ends with 1 when there is no command or staging_info.yml is broken', () => {
    expect(run(['app', '', ''])).toMatchObject({
      status: 1,
      stderr: `${OURS.launcher}: no start command specified or detected in droplet`,
    });
    world.file('staging_info.yml', 'start_command: [');
    expect(run(['app', '', ''])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('failed to unmarshal'),
    });
    world.file('staging_info.yml', 'start_command: echo tagged\nother: !ruby/object:Foo {}\n');
    expect(run(['app', '', '']).stdout).toBe(`${LINES}tagged\n`);
  });

  it('becomes the app: the same process, its signals, and broken pipes that end it', async () => {
    const child = spawn(
      OURS.launcher,
      ['app', 'trap "echo caught; exit 7" TERM; echo "pid=$$"; while :; do sleep 0.02; done', ''],
      {
        cwd: world.root,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('pid=') && !output.includes('caught')) child.kill('SIGTERM');
    });
    const code = await new Promise((done) => child.once('close', done));
    expect(output).toContain(`pid=${child.pid}\n`);
    expect(output).toContain('caught');
    expect(code).toBe(7);
    expect(run(['app', 'grep SigIgn /proc/self/status', '']).stdout).toMatch(/SigIgn:\t0{16}/);
  });
});
