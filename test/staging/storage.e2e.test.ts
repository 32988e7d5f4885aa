/** What is stored, and the moments and machines that are against it. */
import { createHash } from 'node:crypto';
import { readFile, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli } from '../support/cli.ts';

let cli: Cli;
beforeAll(async () => {
  cli = await Cli.make();
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

const sha256 = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

describe('the umask of the caller', () => {
  it('changes nothing of a droplet, and everything of who may read the file that was asked for', async () => {
    const app = await cli.app('masked', { 'index.html': 'hello', 'bin/run': '#!/bin/sh\n' });
    const made = [];
    for (const umask of ['022', '077', '0177', '002']) {
      const output = join(cli.dir, `umask-${umask}.tgz`);
      const ended = await cli.stage(
        app,
        { SUPPLY: 'echo x >$3/$4/file; mkdir $3/$4/bin' },
        ['--reproducible', '--output', output],
        { shell: `umask ${umask}` },
      );
      expect(ended, umask).toMatchObject({ code: 0 });
      made.push({ sha256: await sha256(output), mode: (await stat(output)).mode & 0o777 });
    }
    expect(new Set(made.map((it) => it.sha256)).size).toBe(1);
    expect(made.map((it) => it.mode)).toEqual([0o644, 0o600, 0o600, 0o644]);
  });
});

describe('the end of the process', () => {
  it('comes, again and again, where a store is a link to itself', async () => {
    const other = await Cli.make();
    await other.app('home/blobs');
    await symlink('packages', join(other.home, 'blobs/packages'));
    const codes = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const some = [];
        for (let n = 0; n < 5; n += 1) some.push((await other.run(['blobs', 'verify'])).code);
        return some;
      }),
    );
    expect(new Set(codes.flat())).not.toContain(0);
    expect(other.processes()).toEqual([]);
    await other[Symbol.asyncDispose]();
  });
});
