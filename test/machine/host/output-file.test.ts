import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { demandOutputFile, outputError } from '../../../src/machine/host/output-file.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'stager-output-'));
  mkdirSync(join(root, 'directory'));
  writeFileSync(join(root, 'file'), 'old');
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

it('a file that is there, or could be, is a place for output', async () => {
  await demandOutputFile(join(root, 'file'));
  await demandOutputFile(join(root, 'new'));
});

it.each([
  ['a directory', 'directory', /is not a regular file/],
  ['a directory that is not there', 'nowhere/file', /ENOENT/],
  ['a file as directory', 'file/below', /ENOTDIR/],
])('%s is none', async (_what, name, message) => {
  await expect(demandOutputFile(join(root, name))).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(message),
  });
});

// Only root may write to the directory of devices, which is asked first.
it.skipIf(!isRoot)(`a device is none: the file would take its place${unlessRoot}`, async () => {
  await expect(demandOutputFile('/dev/null')).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: "can't write /dev/null (it is not a regular file)",
  });
});

it('a full disk is told apart from a bad place, and from what is not a system error', () => {
  const system = (code: string) => Object.assign(new Error(code), { code });
  expect(outputError('/a', system('ENOSPC'))).toMatchObject({ code: 'HOST_DISK_FULL' });
  expect(outputError('/a', system('EROFS'))).toMatchObject({ code: 'CONFIG_INVALID' });
  const other = new Error('other');
  expect(outputError('/a', other)).toBe(other);
});
