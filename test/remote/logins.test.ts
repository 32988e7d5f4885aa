/** The file of logins after something happened to it. */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { readLogin, saveLogin } from '../../src/remote/logins.ts';
import { tempDir } from '../staging/source/archives.ts';

const SERVER = 'https://stager.example.com';
const LOGIN = { login: SERVER, clientId: 'cf', accessToken: 'token' };

it.each<[string, 'file' | 'directory', (path: string) => void]>([
  ['a directory is in its place', 'file', (path) => mkdirSync(path)],
  ['it is a link to itself', 'file', (path) => symlinkSync(path, path)],
  ['a file is in the place of its directory', 'directory', (path) => writeFileSync(path, '')],
  ['its directory is a link to nowhere', 'directory', (path) => symlinkSync('/nowhere/at/all', path)],
  ['its directory is a link to itself', 'directory', (path) => symlinkSync(path, path)],
])('what to remove is told when %s', async (_, which, damage) => {
  const file = join(tempDir(), 'stager/logins.json');
  const path = which === 'file' ? file : dirname(file);
  await saveLogin(file, SERVER, LOGIN);
  rmSync(path, { recursive: true });
  damage(path);
  const told = { code: 'CONFIG_INVALID', details: { path }, next: expect.stringContaining(`Remove ${path}`) };
  await expect(readLogin(file, SERVER)).rejects.toMatchObject(told);
  await expect(saveLogin(file, SERVER, LOGIN)).rejects.toMatchObject(told);
  rmSync(path, { recursive: true });
  await saveLogin(file, SERVER, LOGIN);
  expect(await readLogin(file, SERVER)).toEqual(LOGIN);
});

it('a login that was changed counts as none, and no token is handed out', async () => {
  const file = join(tempDir(), 'stager/logins.json');
  await saveLogin(file, SERVER, LOGIN);
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('stager.example.com', 'elsewhere.example.com'));
  expect(await readLogin(file, 'https://elsewhere.example.com')).toBeUndefined();
});
