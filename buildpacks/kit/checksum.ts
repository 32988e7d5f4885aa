/** Checksums as manifests state them. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { goModuleSum } from './go-module.ts';

/** What a file's bytes must hash to; the digest is lower-case hex, that of `h1` (Go modules) base64. */
export interface Checksum {
  readonly algorithm: 'sha224' | 'sha256' | 'sha384' | 'sha512' | 'sha1' | 'h1';
  readonly digest: string;
}

/** A subresource-integrity string (`sha512-…base64`), as npm registries state it; undefined when it is not one. */
export function parseIntegrity(text: string): Checksum | undefined {
  const match = /^(sha256|sha384|sha512)-([A-Za-z0-9+/]+={0,2})$/.exec(text.trim());
  if (match === null) return undefined;
  const [, algorithm, base64 = ''] = match;
  const digest = Buffer.from(base64, 'base64').toString('hex');
  return checksum(algorithm ?? '', digest);
}

/** The checksum of a known algorithm and hex digest of the right length, or undefined. */
export function checksum(algorithm: string, hex: string): Checksum | undefined {
  const lengths = { sha1: 40, sha224: 56, sha256: 64, sha384: 96, sha512: 128 } as const;
  const digest = hex.toLowerCase();
  for (const name of ['sha1', 'sha224', 'sha256', 'sha384', 'sha512'] as const) {
    if (name === algorithm && digest.length === lengths[name] && /^[0-9a-f]+$/.test(digest)) {
      return { algorithm: name, digest };
    }
  }
  return undefined;
}

/** Reads the file once. */
export async function hashFile(path: string, algorithm: Checksum['algorithm']): Promise<string> {
  if (algorithm === 'h1') return goModuleSum(path);
  const hash: Hash = createHash(algorithm);
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
