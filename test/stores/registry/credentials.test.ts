import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { credentialFinder, parseGivenCredentials } from '../../../src/stores/registry/credentials.ts';
import { formatReference, isLocalHost, parseImageReference } from '../../../src/stores/registry/reference.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-credentials-'));
  mkdirSync(join(dir, 'bin'));
});
afterAll(async () => await rm(dir, { recursive: true, force: true }));

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function configFile(name: string, content: unknown): string {
  const path = join(dir, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function helper(name: string, script: string): void {
  writeFileSync(join(dir, 'bin', `docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
  chmodSync(join(dir, 'bin', `docker-credential-${name}`), 0o755);
}

const finder = (content: unknown, given?: Parameters<typeof credentialFinder>[0]['given']) =>
  credentialFinder({
    files: [join(dir, 'missing.json'), configFile('config.json', content)],
    searchPath: `${join(dir, 'bin')}:/usr/bin:/bin`,
    ...(given !== undefined && { given }),
  });

describe('credentials', () => {
  it('are those that were given, then those of the files, by host whatever scheme and path a key has', async () => {
    const auths = {
      'https://index.docker.io/v1/': { auth: base64('hub:p:w') },
      'a.example:5000': { username: 'me', password: 'secret' },
      'token.example': { registrytoken: 't' },
      'identity.example': { identitytoken: 'i' },
    };
    const find = finder({ auths }, parseGivenCredentials('{"a.example:5000":{"token":"given"}}', 'X'));
    expect(await find('a.example:5000')).toEqual({ kind: 'bearer', token: 'given' });
    expect(await find('docker.io')).toEqual({ kind: 'basic', username: 'hub', password: 'p:w' });
    expect(await find('token.example')).toEqual({ kind: 'bearer', token: 't' });
    expect(await find('identity.example')).toEqual({ kind: 'identity', token: 'i' });
    expect(await find('a.example')).toBeUndefined();
  });

  it('come from helpers: a token, a password, nobody, or a failure that says so', async () => {
    helper('ok', 'read host; printf \'{"Username":"u","Secret":"for %s"}\' "$host"');
    helper('token', 'echo \'{"Username":"<token>","Secret":"t"}\'');
    helper('none', 'echo credentials not found in native keychain; exit 1');
    helper('broken', 'exit 3');
    const credHelpers = {
      'ok.example': 'ok',
      'token.example': 'token',
      'broken.example': 'broken',
      'gone.example': 'gone',
      'odd.example': '../x',
    };
    const find = finder({ credHelpers, credsStore: 'none' });
    expect(await find('ok.example')).toEqual({ kind: 'basic', username: 'u', password: 'for ok.example' });
    expect(await find('token.example')).toEqual({ kind: 'identity', token: 't' });
    expect(await find('other.example')).toBeUndefined();
    for (const host of ['broken.example', 'gone.example', 'odd.example'])
      await expect(find(host), host).rejects.toMatchObject({ code: 'REGISTRY_DENIED' });
  });

  it('that can not be read are refused without being shown', async () => {
    for (const text of [
      '{',
      '{"a":{"username":"u"}}',
      '{"a":{"username":"SECRET","password":"p","token":"t"}}',
    ])
      expect(() => parseGivenCredentials(text, 'CNB_REGISTRY_CREDS'), text).toThrow(/^(?!.*SECRET)/);
    await expect(finder('{"auths": SECRET')('a.example')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.not.stringContaining('SECRET'),
    });
  });
});

describe('names of images', () => {
  it.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['me/app:v1', 'docker.io/me/app:v1'],
    ['docker://localhost:5000/a/b', 'localhost:5000/a/b:latest'],
    ['index.docker.io/library/x:1', 'docker.io/library/x:1'],
    [`r.example/a:v1@sha256:${'0'.repeat(64)}`, `r.example/a@sha256:${'0'.repeat(64)}`],
  ])('%s is %s', (given, full) => {
    expect(formatReference(parseImageReference(given))).toBe(full);
  });

  it.each(['', 'UPPER/case', 'a:b:c', 'r.example/', 'a@sha256:1', 'a/../b', 'r.example/a:.tag', 'a@b@c'])(
    '%j is refused',
    (given) => {
      expect(() => parseImageReference(given)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    },
  );

  it('tell local addresses from others', () => {
    for (const host of [
      'localhost',
      '127.0.0.1:5000',
      '10.1.2.3',
      '192.168.0.1',
      '172.16.0.1',
      '169.254.169.254',
      '[::1]:80',
      '[fd00::1]',
    ])
      expect(isLocalHost(host), host).toBe(true);
    for (const host of ['example.com', '8.8.8.8', '172.32.0.1', '1.10.0.1'])
      expect(isLocalHost(host), host).toBe(false);
  });
});
