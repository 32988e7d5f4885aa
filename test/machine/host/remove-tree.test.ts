import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { removeTree } from '../../../src/machine/host/remove-tree.ts';
import { tempDir } from '../../staging/source/archives.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';

const REMOVE = join(import.meta.dirname, '../../../src/machine/host/remove-tree.ts');

it('#12 read-only directories, sockets, pipes, broken links, in one go', async () => {
  const parent = tempDir();
  const root = join(parent, 'w');
  mkdirSync(join(root, 'mod/cache'), { recursive: true });
  writeFileSync(join(root, 'mod/cache/file'), '', { mode: 0o444 });
  execFileSync('mkfifo', [join(root, 'pipe')]);
  symlinkSync('nowhere', join(root, 'broken'));
  const server = createServer().listen(join(root, 'sock'));
  await new Promise((resolve) => server.once('listening', resolve));
  chmodSync(join(root, 'mod/cache'), 0o500);
  chmodSync(join(root, 'mod'), 0);
  chmodSync(root, 0o500);
  await removeTree(root);
  server.close();
  expect(readdirSync(parent)).toEqual([]);
});

it.skipIf(!isRoot)(`the same as a user without special rights${unlessRoot}`, () => {
  const parent = tempDir();
  const root = join(parent, 'w');
  mkdirSync(join(root, 'mod/cache'), { recursive: true });
  writeFileSync(join(root, 'mod/cache/file'), '');
  chmodSync(join(root, 'mod/cache'), 0o500);
  chmodSync(join(root, 'mod'), 0);
  execFileSync('chown', ['-R', '2000:2000', parent]);
  chmodSync(parent, 0o755);
  const script = `import { removeTree } from ${JSON.stringify(REMOVE)};
    process.setgroups([]); process.setgid(2000); process.setuid(2000);
    await removeTree(${JSON.stringify(root)});`;
  execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: '/', stdio: 'inherit' });
  expect(existsSync(root)).toBe(false);
});

it('names that are not UTF-8, and ones that a terminal would obey', async () => {
  const parent = tempDir();
  const root = join(parent, 'w\u00e9');
  mkdirSync(root);
  for (const name of ['fe', 'fe80', '1b5b33316d', 'c3a9', '0a']) {
    const dir = Buffer.concat([Buffer.from(`${root}/`), Buffer.from('ff', 'hex'), Buffer.from(name, 'hex')]);
    mkdirSync(dir);
    writeFileSync(Buffer.concat([dir, Buffer.from('/'), Buffer.from(name, 'hex')]), '');
  }
  await removeTree(root);
  expect(readdirSync(parent)).toEqual([]);
});

it('never follows a link, not even as the root', async () => {
  const victim = tempDir();
  writeFileSync(join(victim, 'file'), 'mine');
  const root = join(tempDir(), 'w');
  mkdirSync(root);
  symlinkSync(victim, join(root, 'link'));
  await removeTree(root);
  symlinkSync(victim, root);
  await removeTree(root);
  expect(existsSync(root)).toBe(false);
  expect(readFileSync(join(victim, 'file'), 'utf8')).toBe('mine');
});

it('a directory nested deeper than a path can be long', async () => {
  const parent = tempDir();
  const root = join(parent, 'w');
  mkdirSync(root);
  const name = 'd'.repeat(200);
  const dig = `i=0; while [ $i -lt 60 ]; do mkdir ${name} && cd -P ${name} || exit 1; i=$((i+1)); done; : > file`;
  execFileSync('sh', ['-c', dig], { cwd: root });
  await removeTree(root);
  expect(readdirSync(parent)).toEqual([]);
});

it.skipIf(!isRoot)(`does not touch what is mounted inside${unlessRoot}`, async () => {
  const root = join(tempDir(), 'w');
  const victim = tempDir();
  writeFileSync(join(victim, 'file'), 'mine');
  mkdirSync(join(root, 'mnt point'), { recursive: true });
  try {
    execFileSync('mount', ['--bind', victim, join(root, 'mnt point')], { stdio: 'ignore' });
  } catch {
    return;
  }
  try {
    await expect(removeTree(root)).rejects.toThrow(/is mounted there/);
  } finally {
    execFileSync('umount', [join(root, 'mnt point')]);
  }
  expect(readFileSync(join(victim, 'file'), 'utf8')).toBe('mine');
});

it('what is not there', async () => {
  await removeTree(join(tempDir(), 'missing'));
});
