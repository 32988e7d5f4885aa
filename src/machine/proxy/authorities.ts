/** The certificate authorities that our own downloads trust. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import { writeTextFile } from '../../config/json-file.ts';

/**
 * Certificates in PEM of Node's own list, of NODE_EXTRA_CA_CERTS, of the machine (what curl and git trust, SSL_CERT_FILE
 * and SSL_CERT_DIR included) and of `extra`, each once. Reading the machine's takes some 200 ms the first time in a
 * process: ask when a connection is made, not before.
 */
export function trustedAuthorities(extra: readonly string[]): readonly string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system'), ...extra])];
}

/** All of them in a file of `directory`; undefined without `extra`, since every program knows the machine's. */
export async function authoritiesFile(
  directory: string,
  extra: readonly string[],
): Promise<string | undefined> {
  if (extra.length === 0) return undefined;
  const file = join(directory, 'git-authorities.pem');
  await mkdir(directory, { recursive: true });
  await writeTextFile(file, trustedAuthorities(extra).join('\n'));
  return file;
}
