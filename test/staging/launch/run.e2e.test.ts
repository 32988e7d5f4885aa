/** `stager run` through the command: what it says of a droplet beside the app's own lines. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli } from '../../support/cli.ts';

const FILLS = 'head -c 200M /dev/zero > /tmp/fat; sleep 600';

let cli: Cli;
let droplet: string;

beforeAll(async () => {
  cli = await Cli.make();
  droplet = join(cli.dir, 'droplet.tgz');
  const app = await cli.app('app', { Procfile: `web: exec sleep 600\nworker: exit 3\nfat: ${FILLS}\n` });
  expect(await cli.stage(app, {}, ['--output', droplet])).toMatchObject({ code: 0 });
});

afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

describe('stager run', () => {
  it('keeps the exit code of a process, and promises no address for one that need not listen', async () => {
    const { code, stderr } = await cli.run(['run', droplet, '--process', 'worker']);
    expect(code).toBe(3);
    expect(stderr).toContain('APP/PROC/WORKER ended with 3\n');
    expect(stderr).not.toContain('listening');
  });

  it.each([
    ['process', ['--process', 'fat'], 'APP/PROC/FAT'],
    ['task', ['--', FILLS], 'APP/TASK/run'],
  ])('says which limit ended a %s, and what to raise', async (_, args, source) => {
    const { code, stderr } = await cli.run(['run', droplet, '--disk', '64M', ...args]);
    expect(code).toBe(137);
    expect(stderr).toMatch(
      new RegExp(`${source} ended with 137: its files take .* of 64 MiB; largest: tmp .*; raise --disk`),
    );
  });

  it('promises an address to who can reach it, and leaves nothing when it is stopped', async () => {
    const running = cli.start(['run', droplet, '--port', '0', '--health-check', 'port']);
    await running.says(/will listen on http:\/\/localhost:\d+/);
    running.interrupt();
    expect((await running.ended).code).toBe(143);
    const unseen = await cli.run(['run', droplet, '--network', 'none', '--process', 'worker']);
    expect(unseen.stderr).not.toContain('listening');
    expect(await cli.leftovers()).toEqual([]);
  });

  it('runs what a manifest says, names the app and its staging, and says which variables are left out', async () => {
    const source = await cli.app('said', {
      'index.html': 'an app is more than its manifest',
      'manifest.yml': `applications:
- name: said
  memory: 256M
  env: { hello: world }
  command: echo "hello=$hello mem=$MEMORY_LIMIT"
`,
    });
    const beside = await cli.stage(source);
    expect(beside.stderr).toContain(
      `warning ${source}/manifest.yml exists but is not used: stage with -f ${source}/manifest.yml`,
    );
    const staged = await cli.run(['stage', '-f', `${source}/manifest.yml`, '-b', 'binary']);
    expect(staged.code).toBe(0);
    const run = await cli.run(['run']);
    expect(run.stdout).toContain('hello= mem=256m');
    expect(run.stderr).toMatch(/^app said, staged \d{4}-\d\d-\d\dT.* as [0-9a-f-]{36}$/m);
    expect(run.stderr).toContain(
      'variables of the manifest are left out, since their values are not stored: hello;',
    );
    const given = await cli.run(['run', '--env', 'hello=you', '--memory', '128M']);
    expect(given.stdout).toContain('hello=you mem=128m');
    expect(given.stderr).not.toContain('left out');
  });
});
