import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCaFile, writeCaBundle } from '../../../src/machine/proxy/ca-bundle.ts';

const pem = (text: string): string => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----`;
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ca-'));
  await mkdir(join(root, 'platform'));
  await mkdir(join(root, 'stack/etc/ssl/certs'), { recursive: true });
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const write = (extra: readonly string[]) =>
  writeCaBundle({
    platformDir: join(root, 'platform'),
    inside: '/etc/stager',
    rootDir: join(root, 'stack'),
    extra,
  });

describe('the bundle', () => {
  it('holds the authorities of the stack and the operator, and the variables name it', async () => {
    await writeFile(join(root, 'stack/etc/ssl/certs/ca-certificates.crt'), pem('stack'));
    const variables = await write([pem('operator')]);
    const store = await readFile(join(root, 'platform/ca-certificates.jks'));
    expect(store.readUInt32BE(0)).toBe(0xfeedfeed);
    const bundle = await readFile(join(root, 'platform/ca-certificates.crt'), 'utf8');
    expect(bundle).toContain(pem('stack'));
    expect(bundle).toContain(pem('operator'));
    expect(variables).toMatchObject({
      NODE_EXTRA_CA_CERTS: '/etc/stager/ca-certificates.crt',
      SSL_CERT_FILE: '/etc/stager/ca-certificates.crt',
      CF_SYSTEM_CERT_PATH: '/etc/stager/cf-system-certificates',
    });
    expect(await readFile(join(root, 'platform/cf-system-certificates/trusted-ca-1.crt'), 'utf8')).toBe(
      `${pem('operator')}\n`,
    );
  });

  it('is not made when there is no authority at all', async () => {
    expect(await write([])).toEqual({});
  });

  it('is never read through a link that leaves the stack', async () => {
    await writeFile(join(root, 'secret'), pem('of the host'));
    await symlink(join(root, 'secret'), join(root, 'stack/etc/ssl/certs/ca-certificates.crt'));
    expect(await write([])).toEqual({});
  });
});

describe('the file of the operator', () => {
  it('may hold several certificates and text between them', async () => {
    await writeFile(join(root, 'ca.pem'), `# one\n${pem('1')}\n# two\n${pem('2')}\n`);
    expect(await readCaFile(join(root, 'ca.pem'))).toEqual([pem('1'), pem('2')]);
  });

  it.each([
    ['missing.pem', ''],
    ['empty.pem', 'no certificate'],
  ])('%s is refused', async (name, text) => {
    if (text !== '') await writeFile(join(root, name), text);
    await expect(readCaFile(join(root, name))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
