/** Stagings at once, in processes of their own over one home. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli } from '../support/cli.ts';

let cli: Cli;

beforeAll(async () => {
  cli = await Cli.make();
});

afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

const own = (n: number) => ({
  SUPPLY: `echo ${n} > $1/own; echo ${n} > /tmp/shared; sleep 0.2; cat $1/own /tmp/shared`,
});

describe('two stagings at once', () => {
  it('of two apps see nothing of each other', async () => {
    const apps = await Promise.all([cli.app('one'), cli.app('two')]);
    const ended = await Promise.all(apps.map((app, n) => cli.stage(app, own(n))));
    for (const [n, { code, stdout }] of ended.entries()) {
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`\n${n}\n${n}\n`) });
    }
  });

  it('of the same app both finish, each with its own droplet', async () => {
    const app = await cli.app('same');
    const ended = await Promise.all([0, 1].map((n) => cli.stage(app, own(n))));
    const places = ended.map(({ stdout }) => /file:\/\/\S+/.exec(stdout)?.[0]);
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    expect(new Set(places).size).toBe(2);
    expect(await cli.leftovers()).toEqual([]);
  });
});

describe('twenty stagings at once', () => {
  it('all finish, and nothing is left', async () => {
    const apps = await Promise.all(Array.from({ length: 20 }, (_, n) => cli.app(`app-${n}`)));
    const ended = await Promise.all(apps.map((app, n) => cli.stage(app, own(n))));
    expect(ended.map(({ code }) => code)).toEqual(apps.map(() => 0));
    for (const [n, { stdout }] of ended.entries()) expect(stdout).toContain(`\n${n}\n${n}\n`);
    expect(await cli.leftovers()).toEqual([]);
  });
});
