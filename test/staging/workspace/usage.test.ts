import { linkSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { usage } from '../../../src/staging/workspace/usage.ts';
import { tempDir } from '../source/archives.ts';

function fill(root: string, path: string, bytes: number): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), Buffer.alloc(bytes, 'x'));
}

it('names the directories that hold the most, and not their parents', async () => {
  const root = tempDir();
  fill(root, 'app/node_modules/big/file', 3_000_000);
  fill(root, 'app/node_modules/other/file', 2_000_000);
  fill(root, 'app/src/file', 10_000);
  fill(root, 'contents/deps/0/file', 1_000_000);
  const found = await usage(root, { top: 4 });
  expect(found.largest.map((one) => one.path)).toEqual([
    'app/node_modules',
    'app/node_modules/big',
    'app/node_modules/other',
    'contents/deps/0',
  ]);
  expect(found.largest[0]?.diskBytes).toBeGreaterThanOrEqual(5_000_000);
  expect(found.apparentBytes).toBe(6_010_000);
});

it('counts blocks, not claims; a hard link once; a link not what it points to', async () => {
  const root = tempDir();
  fill(root, 'a', 1_000_000);
  linkSync(join(root, 'a'), join(root, 'b'));
  symlinkSync('/usr', join(root, 'usr'));
  writeFileSync(join(root, 'sparse'), '');
  truncateSync(join(root, 'sparse'), 1e9);
  const found = await usage(root);
  expect(found.apparentBytes).toBe(1_000_000 + 1e9);
  expect(found.diskBytes).toBeLessThan(1_200_000);
  expect(found.inodes).toBe(4);
});

it('a tree that vanishes while it is measured is not a failure', async () => {
  const root = tempDir();
  for (let index = 0; index < 200; index += 1) fill(root, `d${index}/e/f`, 10);
  const measuring = usage(root);
  rmSync(root, { recursive: true });
  expect((await measuring).unreadable).toBe(0);
  expect((await usage(root)).inodes).toBe(0);
});

it('stops when it is cancelled', async () => {
  const root = tempDir();
  for (let index = 0; index < 3000; index += 1) fill(root, `d${index % 40}/f${index}`, 1);
  const abort = new AbortController();
  const measuring = usage(root, { signal: abort.signal });
  abort.abort();
  await measuring.then(
    (found) => expect(found.inodes).toBeGreaterThan(3000),
    (error: unknown) => expect(error).toMatchObject({ code: 'CANCELLED' }),
  );
});
