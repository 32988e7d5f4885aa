/** docs/kit.md shows a whole buildpack; this builds and runs that very text. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { dir as tempDir } from 'tmp-promise';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

function block(language: string): string {
  const found = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\n\`\`\``).exec(
    readFileSync('docs/kit.md', 'utf8'),
  );
  return `${found?.[1]}\n`;
}

it('the example of docs/kit.md is a working buildpack, offline with its dependency inside', async () => {
  const { path, cleanup } = await tempDir({ unsafeCleanup: true });
  try {
    const buildpack = join(path, 'jokes');
    for (const name of ['jokes/src', 'jokes/dependencies', 'app', 'cache', 'deps/0', 'profile.d']) {
      await mkdir(join(path, name), { recursive: true });
    }
    const archive = pack();
    archive.entry({ name: 'package/bin/jokes', mode: 0o755 }, '#!/bin/sh\necho knock knock\n');
    archive.finalize();
    const bytes = gzipSync(await buffer(archive));
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    await writeFile(join(buildpack, 'dependencies/jokes.tgz'), bytes);
    const manifest = block('yaml').replace('sha512-…', `${integrity}\n    file: dependencies/jokes.tgz`);
    await writeFile(join(buildpack, 'manifest.yml'), manifest);
    await writeFile(join(buildpack, 'src/main.ts'), block('ts'));
    await writeFile(join(buildpack, 'VERSION'), '1.0.0\n');
    execFileSync(process.execPath, ['buildpacks/kit/build.ts', buildpack], { stdio: 'pipe' });

    const args = [join(path, 'app'), join(path, 'cache'), join(path, 'deps'), '0', join(path, 'profile.d')];
    const step = (name: string, env: Record<string, string> = {}) =>
      spawnSync(join(buildpack, 'dist/run.sh'), [name, ...args], {
        encoding: 'utf8',
        env: { PATH: `${join(process.execPath, '..')}:/usr/bin:/bin`, ...env },
      });
    expect(step('supply')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Installing jokes 1.0.3'),
    });
    expect(step('finalize')).toMatchObject({ status: 0, stderr: '' });
    const launch: unknown = parse(readFileSync(join(path, 'deps/0/launch.yml'), 'utf8'));
    expect(launch).toEqual({ processes: [{ type: 'web', command: 'jokes --serve' }] });
    expect(readFileSync(join(path, 'profile.d/0_jokes.sh'), 'utf8')).toBe(
      'export JOKES_HOME=$DEPS_DIR/0/jokes\n',
    );
    expect(execFileSync(join(path, 'deps/0/bin/jokes')).toString()).toBe('knock knock\n');
    expect(existsSync(join(path, 'deps/0/config.yml'))).toBe(true);

    expect(step('supply', { JOKES_VERSION: '7' })).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('**ERROR** no jokes version matches "7". Available: 1.0.3'),
    });
    expect(step('supply', { JOKES_VERSION: 'none' }).stdout).toContain('Unset it, or name a version.');
  } finally {
    await cleanup();
  }
});
