import { linkSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { apparentSize } from '../../../src/staging/workspace/apparent-size.ts';
import { tempDir } from '../source/archives.ts';

const never = new AbortController().signal;

function fill(root: string, path: string, bytes: number): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), Buffer.alloc(bytes, 'x'));
}

it('counts what files claim to hold; a hard link once; a link not what it points to', async () => {
  const root = tempDir();
  fill(root, 'a', 1_000_000);
  fill(root, 'below/deeper/file', 10_000);
  linkSync(join(root, 'a'), join(root, 'b'));
  symlinkSync('/usr', join(root, 'usr'));
  writeFileSync(join(root, 'sparse'), '');
  truncateSync(join(root, 'sparse'), 1e9);
  expect(await apparentSize(root, never)).toBe(1_010_000 + 1e9);
});

it('a tree that vanishes while it is measured is not a failure', async () => {
  const root = tempDir();
  for (let index = 0; index < 200; index += 1) fill(root, `d${index}/e/f`, 10);
  const measuring = apparentSize(root, never);
  rmSync(root, { recursive: true });
  expect(await measuring).toBeLessThanOrEqual(2000);
  expect(await apparentSize(root, never)).toBe(0);
});

it('stops when it is cancelled', async () => {
  const root = tempDir();
  for (let index = 0; index < 3000; index += 1) fill(root, `d${index % 40}/f${index}`, 1);
  const abort = new AbortController();
  const measuring = apparentSize(root, abort.signal);
  abort.abort();
  await measuring.then(
    (bytes) => expect(bytes).toBe(3000),
    (error: unknown) => expect(error).toMatchObject({ code: 'CANCELLED' }),
  );
});
