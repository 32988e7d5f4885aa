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
});
