/** Authorities that a JVM trusts: those of the stack and of the platform, a company's among them, in Java's own format. */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { javaTrustStore } from '../../../src/machine/proxy/java-trust-store.ts';
import type { Env, Log } from '../../kit/index.ts';

/** What a store is made of. */
export interface Authorities {
  /** PEM, each once. */
  readonly certificates: readonly string[];
  /** sha256 of the platform's files: those that profile.d need not add. */
  readonly files: readonly string[];
  /** Whether the stack's own are among them. */
  readonly hasBundle: boolean;
}

const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
const CERTIFICATE = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]+?-----END (?:TRUSTED )?CERTIFICATE-----/g;

/** Reads SSL_CERT_FILE or the stack's bundle, NODE_EXTRA_CA_CERTS, and what CF_SYSTEM_CERT_PATH has. */
export async function readAuthorities(env: Env): Promise<Authorities> {
  const found = new Set<string>();
  const add = (text: string): void => {
    for (const [pem] of text.matchAll(CERTIFICATE)) found.add(pem.replaceAll('\r', ''));
  };
  for (const path of [env['SSL_CERT_FILE'] ?? '', ...BUNDLES]) {
    if (found.size === 0 && path !== '') add(await textOf(path));
  }
  const hasBundle = found.size > 0;
  add(await textOf(env['NODE_EXTRA_CA_CERTS'] ?? ''));
  const files: string[] = [];
  const system = env['CF_SYSTEM_CERT_PATH'] || '/etc/cf-system-certificates';
  for (const name of (await readdir(system).catch(() => [])).sort()) {
    if (!/\.(crt|pem)$/.test(name)) continue;
    const text = await textOf(join(system, name));
    files.push(createHash('sha256').update(text).digest('hex'));
    add(text);
  }
  return { certificates: [...found].sort(), files, hasBundle };
}

async function textOf(path: string): Promise<string> {
  return path === '' ? '' : await readFile(path, 'utf8').catch(() => '');
}

/** Replaces the JRE's own list, so that every program that uses it sees the same. */
export async function writeAuthorities(home: string, authorities: Authorities, log: Log): Promise<void> {
  const { certificates, files, hasBundle } = authorities;
  if (!hasBundle) {
    log.warning(
      "The stack has no bundle of authorities: the JVM trusts those that came with it, and the platform's at start.",
    );
    return;
  }
  const store = join(home, 'lib/security/cacerts');
  // A link in some builds.
  await rm(store, { force: true });
  await writeFile(store, javaTrustStore(certificates));
  await writeFile(join(home, 'lib/security/authorities.sha256'), files.map((sum) => `${sum}\n`).join(''));
  log.info(`The JVM trusts the ${certificates.length} authorities of the stack and the platform`);
}
