/** Stagings under limits that the shell of the caller has: each works as far as it can, or says what is too little. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Cli } from '../support/cli.ts';

let cli: Cli;
let app: string;

beforeAll(async () => {
  ({ cli, app } = await Cli.withApp());
});

afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

it('4,096 open files are enough', async () => {
  const { code, stdout, stderr } = await cli.stage(app, { SUPPLY: 'ulimit -n' }, [], {
    shell: 'ulimit -n 4096',
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
  expect(Number(/^\d+$/m.exec(stdout)?.[0])).toBeGreaterThanOrEqual(4_096);
});

it('files that may not grow to the size of the disk limit do not end a staging', async () => {
  const { code, stderr } = await cli.stage(app, {}, [], { shell: 'ulimit -f 32768' });
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
});

it('a droplet that may not be written is an error that names the limit, and nothing is left', async () => {
  const told = { SUPPLY: 'for i in 1 2 3 4; do head -c 6M /dev/urandom >"$1/$i"; done' };
  const { code, stderr } = await cli.stage(app, told, [], { shell: 'ulimit -f 8192' });
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('ulimit -f') });
  expect(await cli.droplets()).toHaveLength(2);
  expect(await cli.leftovers()).toEqual([]);
});
