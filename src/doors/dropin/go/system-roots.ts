/** The machine's certificate authorities, found where Go looks for them on Linux. */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { namesNow } from '../../../machine/host/names-in.ts';

/** The first that exists is used, unless SSL_CERT_FILE names another. */
const FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
/** Read besides the file, unless SSL_CERT_DIR names others. */
const DIRECTORIES = ['/etc/ssl/certs', '/etc/pki/tls/certs'];

/** PEM texts of the machine's authorities; SSL_CERT_FILE and SSL_CERT_DIR of `env` count. */
export function systemRoots(env: Readonly<Record<string, string>>): readonly string[] {
  const named = env['SSL_CERT_FILE'] ?? '';
  const files = (named === '' ? FILES : [named]).map(readText);
  const file = files.find((text) => text !== undefined);
  const directories = env['SSL_CERT_DIR'] ?? '';
  // Where the machine has one bundle, its directory holds the same certificates again, one a file.
  if (directories === '' && file !== undefined) return pemCertificates(file);
  const names = directories === '' ? DIRECTORIES : directories.split(':');
  const texts = names.flatMap((dir) => namesNow(dir).map((name) => readText(join(dir, name))));
  return [file, ...texts].flatMap((text) => (text === undefined ? [] : pemCertificates(text)));
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The certificates in a PEM text that can be read; others are left out. */
export function pemCertificates(text: string): readonly string[] {
  return (text.match(PEM) ?? []).filter((pem) => {
    try {
      new X509Certificate(pem);
      return true;
    } catch {
      return false;
    }
  });
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
