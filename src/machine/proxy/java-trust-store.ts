/**
 * A trust store for programs on a JVM, which read no PEM: Java's own format (JKS), that every version reads.
 *
 * Big-endian: magic, version, count; for each certificate a tag, an alias, a time, `X.509`, length and DER; then a SHA-1
 * over the password, a salt and all of that. Texts have a length of two bytes before them.
 */
import { createHash, X509Certificate } from 'node:crypto';

const MAGIC = 0xfeedfeed;
const VERSION = 2;
const TRUSTED_CERTIFICATE = 2;
/** What Java's tools try first; a JVM that is given none does not check the digest. */
const PASSWORD = 'changeit';
const SALT = 'Mighty Aphrodite';

/** The store with `certificates` (PEM) in it, the same bytes for the same ones; what is not an X.509 is left out. */
export function javaTrustStore(certificates: readonly string[]): Buffer {
  const entries = certificates.flatMap((pem) => derOf(pem) ?? []).map(entry);
  const body = Buffer.concat([uint32(MAGIC), uint32(VERSION), uint32(entries.length), ...entries]);
  const digest = createHash('sha1')
    .update(Buffer.from(PASSWORD, 'utf16le').swap16())
    .update(SALT)
    .update(body)
    .digest();
  return Buffer.concat([body, digest]);
}

function entry(der: Buffer, index: number): Buffer {
  const created = Buffer.alloc(8);
  return Buffer.concat([
    uint32(TRUSTED_CERTIFICATE),
    text(`authority-${index + 1}`),
    created,
    text('X.509'),
    uint32(der.length),
    der,
  ]);
}

/** A bundle of a stack may hold OpenSSL's own kind, with trust settings after the certificate. */
function derOf(pem: string): Buffer | undefined {
  try {
    return new X509Certificate(pem).raw;
  } catch {
    return undefined;
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
