/** What people have in package.json and in lock files, told in sentences where it can't be right. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../../buildpacks/kit/index.ts';
import { chooseManager } from '../../buildpacks/nodejs/src/manager.ts';
import { nodeRange } from '../../buildpacks/nodejs/src/node-version.ts';
import { readApp } from '../../buildpacks/nodejs/src/package-json.ts';

let temp: DirectoryResult;
const log = createLog(() => undefined);

beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
});
afterEach(() => temp.cleanup());

async function write(name: string, content: string | Uint8Array): Promise<void> {
  await writeFile(join(temp.path, name), content);
}

describe('package.json', () => {
  it.each([
    ['[]', 'package.json has to be an object; it is a list'],
    ['null', 'package.json has to be an object; it is null'],
    ['"x"', 'package.json has to be an object; it is the string "x"'],
    ['{"engines":{"node":20}}', 'engines.node has to be a string; it is the number 20. Write "20"'],
    ['{"engines":"20.x"}', 'engines has to be an object; it is the string "20.x"'],
    ['{"engines":["node >= 20"]}', 'engines has to be an object; it is a list'],
    ['{"engines":{"node":["20"]}}', 'engines.node has to be a string; it is a list'],
    ['{"engines":{"node":null}}', 'engines.node has to be a string; it is null'],
    ['{"scripts":{"start":true}}', 'scripts.start has to be a string; it is true. Write "true"'],
    ['{"scripts":["node x"]}', 'scripts has to be an object; it is a list'],
    ['{"dependencies":["ms"]}', 'dependencies has to be an object; it is a list'],
    ['{"dependencies":{"ms":2}}', 'dependencies.ms has to be a string; it is the number 2. Write "2"'],
    ['{"devDependencies":"ms"}', 'devDependencies has to be an object; it is the string "ms"'],
    ['{"optionalDependencies":{"a":{}}}', 'optionalDependencies.a has to be a string; it is an object'],
    ['{"packageManager":10}', 'packageManager has to be a string; it is the number 10. Write "10"'],
    [
      '{"workspaces":"packages/*"}',
      'workspaces has to be a list or an object; it is the string "packages/*"',
    ],
    ['{"workspaces":[1]}', 'workspaces.0 has to be a string; it is the number 1. Write "1"'],
    ['{"workspaces":{"packages":"x"}}', 'workspaces.packages has to be a list; it is the string "x"'],
    ['{"name":1,"version":2}', 'package.json is not valid:\nname has to be a string'],
    ['{"name":"a",}', "package.json can't be read: "],
    ['', "package.json can't be read: it is empty"],
    ['{\n<<<<<<< HEAD\n"a":1\n=======\n"a":2\n>>>>>>> other\n}', 'unresolved merge conflict at line 2'],
  ])('%s is told as such', async (text, expected) => {
    await write('package.json', text);
    const failure = await readApp(temp.path).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'BuildpackFailure', message: expect.stringContaining(expected) });
    expect(String(failure)).not.toMatch(/invalid_type|Invalid input|expected:/);
  });

  it('of another encoding is told as such, and a byte order mark does no harm', async () => {
    await write('package.json', '\uFEFF{"engines":{"node":"20"}}');
    expect((await readApp(temp.path)).json.engines).toEqual({ node: '20' });
    await write('package.json', Buffer.from('\uFEFF{}', 'utf16le'));
    await expect(readApp(temp.path)).rejects.toThrow('package.json is UTF-16 text');
  });

  it('may have a .nvmrc beside it that PowerShell wrote', async () => {
    await write('package.json', '{}');
    await write('.nvmrc', Buffer.from('\uFEFFv22.11.0\r\n', 'utf16le'));
    expect(await nodeRange(await readApp(temp.path), log)).toBe('v22.11.0');
  });
});

describe('a lock file', () => {
  it.each([
    ['package-lock.json', '[]', 'package-lock.json has to be an object; it is a list'],
    [
      'package-lock.json',
      '{"lockfileVersion":"3"}',
      'lockfileVersion has to be a number; it is the string "3"',
    ],
    ['package-lock.json', '{"packages":[]}', 'packages has to be an object; it is a list'],
    ['package-lock.json', '{"packages":{"node_modules/a":7}}', 'node_modules/a has to be an object'],
    [
      'package-lock.json',
      '{"dependencies":{"a":{"version":1}}}',
      'dependencies.a.version has to be a string',
    ],
    ['npm-shrinkwrap.json', 'oops', "npm-shrinkwrap.json can't be read: "],
    ['package-lock.json', '', "package-lock.json can't be read: it is empty"],
    [
      'yarn.lock',
      'a:\n<<<<<<< HEAD\n=======\n>>>>>>> x\n',
      'yarn.lock has an unresolved merge conflict at line 2',
    ],
    ['pnpm-lock.yaml', '<<<<<<< HEAD\n=======\n>>>>>>> x\n', 'merge conflict at line 1'],
  ])('%s with %s is told as such', async (file, text, expected) => {
    await write('package.json', '{}');
    await write(file, text);
    const failure = await chooseManager(await readApp(temp.path), log).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'BuildpackFailure', message: expect.stringContaining(expected) });
  });
});
