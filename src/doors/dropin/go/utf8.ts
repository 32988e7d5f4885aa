/** Bytes to text as Go's encoders read them: every byte that is not UTF-8 counts by itself. */

/**
 * Stands for a byte that is not UTF-8. A lone surrogate, which no valid text can hold: Go's JSON writes such a byte
 * as the escape \\ufffd but a true U+FFFD as it is, and its YAML refuses the one and takes the other.
 */
export const NOT_UTF8 = '\udfff';
/** {@link NOT_UTF8} where it is not the second half of a character. */
export const LONE_NOT_UTF8 = /(?<![\ud800-\udbff])\udfff/;

/** What stands for a byte in YAML, and what its reader says of it; lone surrogates as well. */
const YAML_MARKS = new Map([
  [NOT_UTF8, 'invalid leading UTF-8 octet'],
  ['\udffe', 'invalid trailing UTF-8 octet'],
  ['\udffd', 'incomplete UTF-8 octet sequence'],
  ['\udffc', 'invalid length of a UTF-8 sequence'],
  ['\udffb', 'invalid Unicode character'],
]);

/** What yaml.v2 says of the first byte of a text of {@link decodeYamlBytes} that was not UTF-8. */
export function yamlEncodingProblem(text: string): string | undefined {
  const [mark] = /(?<![\ud800-\udbff])[\udffb-\udfff]/.exec(text) ?? [];
  return mark === undefined ? undefined : YAML_MARKS.get(mark);
}

/** The mark for the byte at `at`, at which no valid character begins. */
function yamlMark(bytes: Buffer, at: number): string {
  const first = bytes[at] ?? 0;
  const width = first >> 5 === 0b110 ? 2 : first >> 4 === 0b1110 ? 3 : first >> 3 === 0b11110 ? 4 : 0;
  if (width === 0) return NOT_UTF8;
  if (at + width > bytes.length) return '\udffd';
  if (![...bytes.subarray(at + 1, at + width)].every(isTail)) return '\udffe';
  const second = bytes[at + 1] ?? 0;
  const isLong = first < 0xc2 || (first === 0xe0 && second < 0xa0) || (first === 0xf0 && second < 0x90);
  return isLong ? '\udffc' : '\udffb';
}

/** Decodes `bytes`. Unlike TextDecoder, a cut-off sequence of three bytes gives three of {@link NOT_UTF8}. */
export function decodeUtf8(
  bytes: Buffer,
  mark: (bytes: Buffer, at: number) => string = () => NOT_UTF8,
): string {
  const parts: string[] = [];
  let good = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    parts.push(bytes.toString('utf8', good, at), mark(bytes, at));
    at++;
    good = at;
  }
  parts.push(bytes.toString('utf8', good));
  return parts.join('');
}

/** Length of the valid sequence at `at`, or 0. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const second = bytes[at + 1] ?? 0;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return isTail(second) ? 2 : 0;
  if (first < 0xf0) {
    const low = first === 0xe0 ? 0xa0 : 0x80;
    const high = first === 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high && isTail(bytes[at + 2]) ? 3 : 0;
  }
  const low = first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xf4 ? 0x8f : 0xbf;
  const fits = second >= low && second <= high;
  return fits && isTail(bytes[at + 2]) && isTail(bytes[at + 3]) ? 4 : 0;
}

function isTail(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x80 && byte <= 0xbf;
}

/** Text of a YAML document: UTF-16 where it begins with that mark, as PowerShell writes it, UTF-8 otherwise. */
export function decodeYamlBytes(bytes: Buffer): string {
  const mark = bytes.toString('latin1', 0, 2);
  if (mark !== '\xff\xfe' && mark !== '\xfe\xff') return decodeUtf8(bytes, yamlMark);
  const isWhole = bytes.length % 2 === 0;
  const units = Buffer.from(bytes.subarray(2, isWhole ? bytes.length : -1));
  const text = (mark === '\xfe\xff' ? units.swap16() : units).toString('utf16le');
  const lone = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
  return text.replace(lone, NOT_UTF8) + (isWhole ? '' : NOT_UTF8);
}
