/**
 * The certificate authorities that scripts trust: those of the stack and the operator's own, in one file that the
 * sandbox sees, named by the variables of the usual tools. Nothing has to be configured in a buildpack.
 */
import { writeFileSync } from 'node:fs';
import { mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { javaTrustStore } from './java-trust-store.ts';

/** Where distributions keep their bundle, below the root. */
const STACK_BUNDLES = [
  'etc/ssl/certs/ca-certificates.crt',
  'etc/pki/tls/certs/ca-bundle.crt',
  'etc/ssl/ca-bundle.pem',
  'etc/ssl/cert.pem',
  'etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
] as const;

/** Mozilla's list is a quarter of a MiB; above this the file is something else. */
const MAX_BUNDLE_BYTES = 16 * 1024 * 1024;
const BUNDLE_NAME = 'ca-certificates.crt';
/** For JVMs; no variable names it, since one that does makes every JVM write a line about it. */
const JAVA_NAME = 'ca-certificates.jks';
/** One file per authority, the layout of `CF_SYSTEM_CERT_PATH` on a cell. */
const SYSTEM_CERTS = 'cf-system-certificates';

/** Which variable makes which tool read the bundle in the directory `inside`. */
function caVariables(inside: string): Readonly<Record<string, string>> {
  const bundle = `${inside}/${BUNDLE_NAME}`;
  return {
    // OpenSSL, Go, Ruby, PHP, Rust's native-tls, Python's ssl.
    SSL_CERT_FILE: bundle,
    NODE_EXTRA_CA_CERTS: bundle,
    CURL_CA_BUNDLE: bundle,
    GIT_SSL_CAINFO: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    PIP_CERT: bundle,
    npm_config_cafile: bundle,
    BUNDLE_SSL_CA_CERT: bundle,
    CARGO_HTTP_CAINFO: bundle,
    AWS_CA_BUNDLE: bundle,
    DENO_CERT: bundle,
    CF_SYSTEM_CERT_PATH: `${inside}/${SYSTEM_CERTS}`,
  };
}

/** Certificates in PEM, one each. */
function certificatesIn(pem: string): readonly string[] {
  return (
    pem.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]+?-----END (?:TRUSTED )?CERTIFICATE-----/g) ?? []
  );
}

/**
 * Reads the operator's own certificate authorities.
 *
 * @returns the certificates as PEM.
 * @throws StagerError CONFIG_INVALID when the file is not there or holds no certificate.
 */
export async function readCaFile(path: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new StagerError(
      'CONFIG_INVALID',
      `CA file ${path} can't be read (${errnoOf(cause) ?? 'unknown error'})`,
      {
        next: 'Name a readable file with certificates in PEM.',
        details: { path },
        cause,
      },
    );
  });
  const certificates = certificatesIn(text);
  if (certificates.length > 0) return certificates;
  throw new StagerError('CONFIG_INVALID', `CA file ${path} contains no PEM certificate`, {
    next: 'Convert it with `openssl x509 -inform der -in FILE -out FILE.pem`.',
    details: { path },
  });
}

/** Where a bundle goes and what goes into it. */
export interface CaBundleInput {
  /** Host directory that scripts see read-only. */
  readonly platformDir: string;
  /** Where they see it. */
  readonly inside: string;
  /** Host path of the stack's root file system; `/` for the machine's own. */
  readonly rootDir: string;
  /** Certificates of {@link readCaFile}. */
  readonly extra: readonly string[];
}

/**
 * Writes the bundle.
 *
 * @returns the variables that name it; none when neither the stack nor the operator has an authority.
 */
export async function writeCaBundle(input: CaBundleInput): Promise<Readonly<Record<string, string>>> {
  const { platformDir, inside, rootDir, extra } = input;
  const own = await stackBundle(rootDir);
  if (own === undefined && extra.length === 0) return {};
  const systemDir = join(platformDir, SYSTEM_CERTS);
  await mkdir(systemDir, { recursive: true });
  const known = new Set(certificatesIn(own ?? ''));
  const others = extra.filter((it) => !known.has(it));
  const bundle = `${own ?? ''}${others.map((it) => `\n${it}\n`).join('')}`;
  await writeFile(join(platformDir, BUNDLE_NAME), bundle);
  if (extra.length > 0) {
    await writeFile(join(platformDir, JAVA_NAME), javaTrustStore(certificatesIn(bundle)));
  }
  // A whole list of the machine has 140 of them, and handing each to a thread takes longer than writing it.
  for (const [index, certificate] of extra.entries())
    writeFileSync(join(systemDir, `trusted-ca-${index + 1}.crt`), `${certificate}\n`);
  return caVariables(inside);
}

/** The stack's bundle, never read through a link that leaves the stack. */
async function stackBundle(root: string): Promise<string | undefined> {
  const realRoot = await realpath(root);
  for (const candidate of STACK_BUNDLES) {
    const path = await realpath(join(realRoot, candidate)).catch(() => undefined);
    if (path === undefined || !path.startsWith(realRoot === sep ? sep : realRoot + sep)) continue;
    const facts = await stat(path);
    if (!facts.isFile() || facts.size > MAX_BUNDLE_BYTES) continue;
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.includes('BEGIN CERTIFICATE')) return text;
  }
  return undefined;
}
