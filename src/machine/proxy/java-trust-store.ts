/**
 * A trust store for programs on a JVM, which read no PEM: Java's own format (JKS), that every version reads.
 *
 * Big-endian: magic, version, count; for each certificate a tag, an alias, a time, `X.509`, length and DER; then a SHA-1
 * over the password, a salt and all of that. Texts have a length of two bytes before them.
 */
import { createHash } from 'node:crypto';

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

const SEQUENCE = 0x30;
const LONG_FORM = 0x80;

/**
 * The certificate's own bytes. A bundle of a stack may hold OpenSSL's own kind, with trust settings after the
 * certificate: those are cut off. Nothing is parsed that the JVM parses: some 150 certificates take 50 ms.
 */
function derOf(pem: string): Buffer | undefined {
  const [, base64] = /-----BEGIN [A-Z ]+-----([\s\S]+?)-----END/.exec(pem) ?? [];
  if (base64 === undefined) return undefined;
  const der = Buffer.from(base64, 'base64');
  const first = der[1] ?? 0;
  if (der[0] !== SEQUENCE) return undefined;
  const bytesOfLength = first < LONG_FORM ? 0 : first - LONG_FORM;
  if (bytesOfLength > 4 || der.length < 2 + bytesOfLength) return undefined;
  const length = bytesOfLength === 0 ? first : der.readUIntBE(2, bytesOfLength);
  const end = 2 + bytesOfLength + length;
  return end > der.length ? undefined : der.subarray(0, end);
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
