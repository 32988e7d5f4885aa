/** kill -9 in the middle of a staging: the next start clears it away, and touches nothing of a living one. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Cli, cgroupsOf, events, type Running, stageArgs } from '../support/cli.ts';

const Started = z.object({ type: z.literal('staging-started'), build: z.string() });
const WAITS = 'echo begun; while [ ! -e $1/go ]; do sleep 0.1; done; echo went';

let cli: Cli;
let app: string;

beforeAll(async () => {
  ({ cli, app } = await Cli.withApp());
});

afterAll(() => cli[Symbol.asyncDispose]());

async function killed(running: Running): Promise<string> {
  running.child.kill('SIGKILL');
  const { code, stdout } = await running.ended;
  expect(code).toBe(137);
  return Started.parse(events(stdout)[0]).build;
}

describe('a stager that is killed', () => {
  it('in a script leaves a sandbox that the next start ends, with its cgroups and workspace', async () => {
    const running = cli.start([...stageArgs(app, { SUPPLY: 'echo begun; sleep 1000' }), '--json']);
    await running.says(/"text":"begun"/);
    const build = await killed(running);
    expect(await cli.leftovers()).not.toEqual([]);

    expect(await cli.stage(app)).toMatchObject({ code: 0 });
    expect(await cli.leftovers()).toEqual([]);
    expect(cgroupsOf(build)).toEqual([]);
  });

  it('while it packs leaves a half-written droplet that is never listed, and goes at the next start', async () => {
    const before = await cli.droplets();
    const big = { SUPPLY: 'head -c 64M /dev/urandom > $1/big' };
    const running = cli.start([...stageArgs(app, big), '--json']);
    await running.says(/"progress"[^\n]*"name":"droplet"/);
    await killed(running);
    expect(await cli.droplets()).toEqual(before);

    expect(await cli.stage(app)).toMatchObject({ code: 0 });
    expect(await cli.leftovers()).toEqual([]);
    expect(await cli.droplets()).toHaveLength(before.length + 1);
  });

  it('is swept by a start that leaves the workspace of a living staging alone', async () => {
    const living = cli.start([...stageArgs(app, { SUPPLY: WAITS }), '--json']);
    await living.says(/"text":"begun"/);
    const dead = cli.start([...stageArgs(app, { SUPPLY: 'echo begun; sleep 1000' }), '--json']);
    await dead.says(/"text":"begun"/);
    const [alive] = (await readdir(join(cli.home, 'workspaces'))).filter((name) => !name.endsWith('.lock'));
    const build = await killed(dead);

    expect(await cli.stage(app)).toMatchObject({ code: 0 });
    const kept = (await readdir(join(cli.home, 'workspaces'))).filter((name) => !name.endsWith('.lock'));
    expect(kept).not.toContain(build);
    expect(kept).toHaveLength(1);
    expect(alive).toBeDefined();
    await cli.app(join('home/workspaces', String(kept[0]), 'tmp/app'), { go: '' });
    expect(await living.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('"text":"went"') });
    expect(await cli.leftovers()).toEqual([]);
  });
});
