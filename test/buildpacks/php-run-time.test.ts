/** start-php without a PHP: how many children PHP-FPM may have, and what of the app is in its configuration. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let deps: DirectoryResult;
beforeAll(async () => {
  deps = await tempDir({ unsafeCleanup: true });
  for (const folder of ['bin', 'etc/fpm.d', 'php/sbin'])
    mkdirSync(join(deps.path, folder), { recursive: true });
  copyFileSync('buildpacks/php/profile/start-php', join(deps.path, 'bin/start-php'));
  const files = {
    'bin/php': '#!/bin/sh\necho 128M\n',
    // -F -y <configuration>
    'php/sbin/php-fpm': '#!/bin/sh\ncat "$3"\n',
    'serve.sh': 'serve() { (fpm); }\n',
    'etc/nginx.conf': '',
    'etc/fpm.d/own.conf': 'request_terminate_timeout = 300s\n',
  };
  for (const [path, text] of Object.entries(files))
    writeFileSync(join(deps.path, path), text, { mode: 0o755 });
});
afterAll(() => deps.cleanup());

function configuration(env: Readonly<Record<string, string>>): string {
  const { stdout, stderr } = spawnSync('bash', [join(deps.path, 'bin/start-php')], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', HOME: deps.path, ...env },
  });
  expect(stderr).toBe('');
  return stdout;
}

describe('PHP-FPM', () => {
  it.each([
    ['512M', undefined, 4],
    ['2G', undefined, 16],
    ['64M', undefined, 1],
    ['64G', undefined, 100],
    ['512M', '7', 7],
  ])('in %s, with WEB_CONCURRENCY %s, has %i children at most', (memory, concurrency, children) => {
    const more = concurrency === undefined ? {} : { WEB_CONCURRENCY: concurrency };
    const text = configuration({ MEMORY_LIMIT: memory, ...more });
    expect(text).toContain(`pm.max_children = ${children}\n`);
  });

  it('has what the app says in .bp-config/php/fpm.d, after its own', () => {
    expect(configuration({ MEMORY_LIMIT: '1G' })).toMatch(
      /max_children = 8[\s\S]*include = \S+\/etc\/fpm\.d\/own\.conf\n$/,
    );
  });
});
