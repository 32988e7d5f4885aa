import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const place = join(root, '.cache', 'library-example');
const execute = promisify(execFile);
let home = '';

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'stager-library-'));
  await mkdir(place, { recursive: true });
  const page = await readFile(join(root, 'docs/library.md'), 'utf8');
  await writeFile(join(place, 'ci.ts'), /```ts\n([\s\S]*?)```/.exec(page)?.[1] ?? '');
  await writeFile(
    join(place, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', include: ['ci.ts'], exclude: [] }),
  );
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
  await rm(place, { recursive: true, force: true });
});

describe('the example of docs/library.md', () => {
  it('compiles under strict types', () => {
    const checked = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', place], { encoding: 'utf8' });
    expect(checked.stdout).toBe('');
  });

  it('stages a real app, runs the droplet and gets an answer', async () => {
    const { stdout } = await execute(
      process.execPath,
      [join(place, 'ci.ts'), join(root, 'fixtures/apps/express')],
      {
        env: { ...process.env, STAGER_CI_HOME: home },
      },
    );
    expect(stdout).toMatch(/droplet [0-9a-f]{64} at file:\/\//);
    expect(stdout).toContain('GET / 200');
  });

  it('says whose fault it was when the app has no buildpack', async () => {
    const empty = join(home, 'no-app');
    await mkdir(empty, { recursive: true });
    await writeFile(join(empty, 'readme.txt'), 'nothing to run here');
    const failed = await execute(process.execPath, [join(place, 'ci.ts'), empty], {
      env: { ...process.env, STAGER_CI_HOME: home },
    }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 222, stderr: expect.stringContaining('NO_APP_DETECTED (app)') });
  });
});
