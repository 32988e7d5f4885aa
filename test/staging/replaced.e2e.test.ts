/** Buildpacks that put links to the host in the place of the workspace's own directories: root must not follow. */
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli } from '../support/cli.ts';

const SECRET = 'only-root-may-read-this';
let cli: Cli;
let victim: string;
let app: string;
beforeAll(async () => {
  cli = await Cli.make();
  victim = join(cli.dir, 'victim');
  for (const dir of [victim, join(victim, 'deps'), join(victim, 'profile.d')]) {
    await mkdir(dir, { mode: 0o700 });
    await writeFile(join(dir, 'secret'), SECRET, { mode: 0o600 });
  }
  app = await cli.app('app');
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

/** `stager stage` with a link to the victim at each of `paths` once the buildpack has ended. */
async function stageReplacing(paths: readonly string[], more: readonly string[] = []) {
  const swaps = paths.map((path) => `mv ${path} ${path}.old; ln -s ${victim} ${path}`).join('; ');
  return await cli.stage(app, { FINALIZE: swaps }, ['--json', ...more]);
}

describe('a buildpack that puts a link to a directory of the host', () => {
  it.each(['/tmp/app', '/tmp/contents', '/tmp/contents/deps', '/tmp/contents/profile.d'])(
    'in the place of %s gets no droplet with what is there',
    async (path) => {
      const droplet = join(cli.dir, 'stolen.tgz');
      const ended = await stageReplacing([path], ['-o', droplet]);
      expect(ended.stdout).toContain('DROPLET_PACK_FAILED');
      expect(ended.code).toBe(62);
      expect(ended.stdout + ended.stderr).not.toContain(SECRET);
      expect(await readdir(cli.dir)).not.toContain('stolen.tgz');
      expect(await readdir(join(victim, 'deps'))).toEqual(['secret']);
      expect(await cli.leftovers()).toEqual([]);
    },
  );

  it('in the place of the cache finds nothing of it in its next cache, and the host unchanged', async () => {
    const before = execFileSync('find', [victim, '-printf', '%p %u %m\n'], { encoding: 'utf8' });
    const first = await stageReplacing(['/tmp/cache']);
    expect(first.code).toBe(0);
    expect(first.stdout).toContain('build-cache-not-kept');
    const second = await cli.stage(app, { FINALIZE: 'find /tmp/cache; cat /tmp/cache/secret || true' });
    expect(second.code).toBe(0);
    expect(second.stdout + second.stderr).not.toContain(SECRET);
    expect(execFileSync('find', [victim, '-printf', '%p %u %m\n'], { encoding: 'utf8' })).toBe(before);
  });
});
