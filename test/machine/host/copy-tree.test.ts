import { execFileSync } from 'node:child_process';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';
import { copyTree } from '../../../src/machine/host/copy-tree.ts';

const signal = new AbortController().signal;
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'copy-tree-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

it('keeps contents, modes without set-id bits, times and links, and leaves out names of the top alone', async () => {
  const [from, to] = [join(root, 'from'), join(root, 'to')];
  await mkdir(join(from, 'below/.git'), { recursive: true });
  await mkdir(join(from, '.git'));
  await writeFile(join(from, 'below/run'), 'small');
  await chmod(join(from, 'below/run'), 0o4755);
  const large = Buffer.alloc(400_000, 'x');
  await writeFile(join(from, 'large'), large, { mode: 0o640 });
  await symlink('../nowhere', join(from, 'link'));
  execFileSync('mkfifo', [join(from, 'pipe')]);
  const then = new Date('2020-01-02T03:04:05Z');
  for (const path of ['below/run', 'large', 'below']) await utimes(join(from, path), then, then);
  await chmod(join(from, 'below'), 0o555);
  const special: string[] = [];

  await copyTree(from, to, { signal, skip: new Set(['.git']), onSpecial: (path) => special.push(path) });

  await chmod(join(from, 'below'), 0o755);
  expect(await readdir(to)).toEqual(['below', 'large', 'link']);
  expect(await readdir(join(to, 'below'))).toEqual(['.git', 'run']);
  expect(await readFile(join(to, 'large'))).toEqual(large);
  expect(await readlink(join(to, 'link'))).toBe('../nowhere');
  const modes = { 'below/run': 0o755, large: 0o640, below: 0o755 };
  for (const [path, mode] of Object.entries(modes)) {
    const facts = await lstat(join(to, path));
    expect({ path, mode: facts.mode & 0o7777, time: facts.mtime }).toEqual({ path, mode, time: then });
  }
  expect(special).toEqual([join(from, 'pipe')]);
});

it('copies nothing over what is there, and nothing after it was cancelled', async () => {
  await mkdir(join(root, 'from'));
  await mkdir(join(root, 'to'));
  const copy = (to: string, cancelled = signal) =>
    copyTree(join(root, 'from'), join(root, to), { signal: cancelled });
  await expect(copy('to')).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(copy('new', AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(await readdir(root)).toEqual(['from', 'to']);
});
