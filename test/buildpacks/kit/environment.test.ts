import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stagingEnv, writeLaunchEnv } from '../../../buildpacks/kit/environment.ts';

let temp: DirectoryResult;
let deps: string;

beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
  deps = join(temp.path, 'deps');
  await mkdir(deps);
});
afterEach(() => temp.cleanup());

async function put(name: string, text: string): Promise<void> {
  await mkdir(dirname(join(deps, name)), { recursive: true });
  await writeFile(join(deps, name), text);
}

describe('staging environment', () => {
  it('#46 takes a variable from the lowest index, its content unchanged', async () => {
    await put('0/env/FOO', 'zero\n');
    await put('1/env/FOO', 'one');
    await put('1/env/BAR', 'bar');
    expect(await stagingEnv(deps, { FOO: 'app' })).toMatchObject({ FOO: 'zero\n', BAR: 'bar' });
  });

  it('puts search paths of the highest index first, by number, and lists only what exists', async () => {
    await put('2/bin/x', '');
    await put('10/bin/x', '');
    await put('9/lib/x', '');
    await put('10/include/x', '');
    await put('9/bin', 'a file');
    const env = await stagingEnv(deps, { PATH: '/usr/bin' });
    expect(env).toMatchObject({
      PATH: `${deps}/10/bin:${deps}/2/bin:/usr/bin`,
      LD_LIBRARY_PATH: `${deps}/9/lib`,
      LIBRARY_PATH: `${deps}/9/lib`,
      CPATH: `${deps}/10/include`,
    });
    expect(env).not.toHaveProperty('PKG_CONFIG_PATH');
  });
});

describe('launch environment', () => {
  async function written(by: 'kit' | 'shell'): Promise<Record<string, string>> {
    const profile = join(temp.path, by);
    if (by === 'kit') await writeLaunchEnv(deps, profile);
    else execFileSync('buildpacks/kit/launch-env.sh', [deps, profile]);
    const names = (await readdir(profile)).sort();
    return Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await readFile(join(profile, name), 'utf8')])),
    );
  }

  it('is the same from the kit and from its shell version', async () => {
    await put('0/bin/x', '');
    await put('1/bin/x', '');
    await put('1/lib/x', '');
    await put('0/profile.d/a.sh', 'export A=1\n');
    await put('1/profile.d/nginx', 'export B=2\n');
    await put('note', 'no buildpack');
    const files = await written('kit');
    expect(Object.keys(files)).toEqual(['000_multi-supply.sh', '0_a.sh', '1_nginx']);
    expect(await written('shell')).toEqual(files);
  });

  it('is the same when there is nothing to tell', async () => {
    await put('0/config.yml', 'name: x');
    const files = await written('kit');
    expect(files).toEqual({ '000_multi-supply.sh': '' });
    expect(await written('shell')).toEqual(files);
  });

  it('puts the paths before those of the container when bash sources it', async () => {
    await put('0/bin/x', '');
    await put('1/lib/x', '');
    await writeLaunchEnv(deps, join(temp.path, 'profile'));
    const script = `set -eu; . ${join(temp.path, 'profile/000_multi-supply.sh')}; echo "$PATH|$LD_LIBRARY_PATH"`;
    const out = execFileSync('bash', ['--norc', '-c', script], { env: { PATH: '/usr/bin', DEPS_DIR: '/d' } });
    expect(out.toString()).toBe('/d/0/bin:/usr/bin|/d/1/lib\n');
    expect((await stat(join(temp.path, 'profile/000_multi-supply.sh'))).mode & 0o111).toBe(0o111);
  });
});
