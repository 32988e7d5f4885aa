import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDataHome } from '../../../src/machine/host/data-home.ts';

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'stager-home-'));
  writeFileSync(join(root, 'file'), '');
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

it('is made with what is above it, once or by several at a time', async () => {
  const path = join(root, 'a/b/c');
  await Promise.all([openDataHome(path), openDataHome(path), openDataHome(path)]);
  expect(statSync(path).isDirectory()).toBe(true);
});

it.each([
  ['a file', 'file', /EEXIST/],
  ['below a file', 'file/below', /ENOTDIR/],
])('%s is none', async (_what, name, why) => {
  await expect(openDataHome(join(root, name))).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(why),
    next: expect.stringContaining('--home'),
  });
});

it('where no directory can be made it is refused, and not tried forever', async () => {
  await expect(openDataHome('/proc/stager/home')).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/^the data home \/proc\/stager\/home can't be used \(E\w+\)$/),
  });
});
