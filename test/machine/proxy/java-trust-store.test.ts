import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { javaTrustStore } from '../../../src/machine/proxy/java-trust-store.ts';
import { TestAuthority } from '../../support/test-authority.ts';

const KEYTOOL = '/usr/bin/keytool';
const authority = new TestAuthority('java');
afterAll(() => authority.close());

const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256;

describe('a trust store for Java', () => {
  const store = javaTrustStore([authority.pem, 'no certificate', authority.identity('a.test').cert]);

  it('has the header, the certificates and the digest of its format', () => {
    expect(store.readUInt32BE(0)).toBe(0xfeedfeed);
    expect(store.readUInt32BE(4)).toBe(2);
    expect(store.readUInt32BE(8)).toBe(2);
    expect(store.includes(new X509Certificate(authority.pem).raw)).toBe(true);
    const password = Buffer.from('\0c\0h\0a\0n\0g\0e\0i\0t');
    const digest = createHash('sha1')
      .update(password)
      .update('Mighty Aphrodite')
      .update(store.subarray(0, -20));
    expect(store.subarray(-20)).toEqual(digest.digest());
  });

  it.skipIf(!existsSync(KEYTOOL))(
    `is read by Java${existsSync(KEYTOOL) ? '' : ' (not run: no keytool)'}`,
    () => {
      const path = join(authority.file, '../store.jks');
      writeFileSync(path, store);
      const args = ['-list', '-v', '-keystore', path, '-storepass', 'changeit'];
      const listed = execFileSync(KEYTOOL, args, { encoding: 'utf8', stdio: 'pipe' });
      expect(listed).toContain('2 entries');
      expect(listed).toContain(fingerprint(authority.pem));
    },
  );
});
