/** A sample of bench/kill-nine.ts, which does it a hundred times: nothing of a stager that was killed lives on. */
import { chown } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, type Ended, stageArgs } from '../support/cli.ts';
import { killNine, loopDevices, type Victim, victimArgs } from '../support/kill-nine.ts';

const NOBODY = 65_534;
const PATIENCE = { timeout: 60_000, interval: 100 } as const;

/** A data home with a droplet in it, and how long a staging takes there. */
async function prepared(uid?: number): Promise<{ cli: Cli; app: string; first: Ended }> {
  const { cli, app } = await Cli.withApp();
  if (uid !== undefined) for (const path of [cli.dir, cli.home, app]) await chown(path, uid, uid);
  const args = [...stageArgs(app), '--output', `${cli.dir}/droplet.tgz`];
  const first = await cli.run(args, uid === undefined ? {} : { uid });
  expect(first).toMatchObject({ code: 0 });
  return { cli, app, first };
}

const users: readonly (readonly [string, number | undefined])[] =
  process.getuid?.() === 0
    ? [
        ['root', undefined],
        ['an ordinary user', NOBODY],
      ]
    : [['the caller of the tests (root and another user: not run)', undefined]];

describe.each(users)('kill -9 of a stager of %s', (_, uid) => {
  let ready: Awaited<ReturnType<typeof prepared>>;
  beforeAll(async () => {
    ready = await prepared(uid);
  });
  afterAll(() => ready.cli[Symbol.asyncDispose]());

  const moments: readonly (readonly [Victim, number])[] =
    uid === undefined
      ? [
          ['stage', 0.5],
          ['stage', 0.9],
          ['run', 0.8],
          ['shell', 0.8],
        ]
      : [['stage', 0.8]];

  it.each(moments)(
    'leaves no process, mount, device, cgroup or namespace of its %s',
    async (victim, part) => {
      const { cli, app, first } = ready;
      const how = { afterMs: first.durationMs * part, ...(uid !== undefined && { uid }) };
      const look = await killNine(cli, victimArgs(cli, victim, app), how);
      await expect.poll(look, PATIENCE).toEqual([]);
    },
  );

  it('leaves files that the next start removes', async () => {
    const { cli, app } = ready;
    expect(await cli.stage(app, {}, [], uid === undefined ? {} : { uid })).toMatchObject({ code: 0 });
    expect(await cli.leftovers()).toEqual([]);
    expect(loopDevices(cli.dir)).toEqual([]);
  });
});
