/** What bytes must hash to; the digest is lower-case hex. */
export interface Checksum {
  readonly algorithm: 'sha256' | 'sha384' | 'sha512';
  readonly digest: string;
}

const HEX_LENGTH = { sha256: 64, sha384: 96, sha512: 128 } as const;

/** The checksum of an entry: `sha256` in hex, or `integrity` as npm has it; undefined when neither is a whole one. */
export function statedChecksum(entry: {
  readonly sha256: string | undefined;
  readonly integrity: string | undefined;
}): Checksum | undefined {
  if (entry.sha256 !== undefined) return wholeHex('sha256', entry.sha256);
  const [, name = '', base64 = ''] =
    /^(sha256|sha384|sha512)-([A-Za-z0-9+/]+={0,2})$/.exec(entry.integrity ?? '') ?? [];
  const algorithm = (['sha256', 'sha384', 'sha512'] as const).find((it) => it === name);
  return algorithm === undefined
    ? undefined
    : wholeHex(algorithm, Buffer.from(base64, 'base64').toString('hex'));
}

function wholeHex(algorithm: Checksum['algorithm'], text: string): Checksum | undefined {
  const digest = text.toLowerCase();
  const isWhole = digest.length === HEX_LENGTH[algorithm] && /^[0-9a-f]+$/.test(digest);
  return isWhole ? { algorithm, digest } : undefined;
}
