/** Small pieces of Go's text formatting. */

const UNITS = ['B', 'K', 'M', 'G', 'T', 'P', 'E'] as const;

/** A size as Cloud Foundry's programs print it: `12.5K`, `3M`; one decimal, halves go to the even digit. */
export function byteSize(bytes: number): string {
  if (bytes === 0) return '0B';
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const tenths = value * 10;
  const floor = Math.floor(tenths);
  const rest = tenths - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  return `${rounded / 10}${UNITS[unit] ?? ''}`;
}

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const DURATION = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;

/** A duration such as `1s`, `1m30s`, `-1.5h` in milliseconds; undefined when it is not one. */
export function parseDurationMs(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0;
  if (!DURATION.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(number) * (NANOSECONDS[unit ?? ''] ?? 0);
  }
  if (total > 2 ** 63) return undefined;
  return ((text.startsWith('-') ? -1 : 1) * total) / 1e6;
}

/** What {@link parseInteger} found wrong, in the words of Go's flag package. */
export type IntegerProblem = 'parse error' | 'value out of range';

const INTEGER =
  /^([+-]?)(?:(0[xX])(_?[0-9a-fA-F](?:_?[0-9a-fA-F])*)|(0[bB])(_?[01](?:_?[01])*)|(0[oO]?)(_?[0-7](?:_?[0-7])*)|(0|[1-9](?:_?\d)*))$/;

/** An integer literal of Go (`10`, `0x1f`, `0b11`, `017`, `1_000`) that fits 64 bits. */
export function parseInteger(text: string): bigint | IntegerProblem {
  const match = INTEGER.exec(text);
  if (match === null) return 'parse error';
  const [, sign, hex, hexDigits, binary, binaryDigits, octal, octalDigits, decimal] = match;
  const literal =
    hex !== undefined
      ? `0x${hexDigits ?? ''}`
      : binary !== undefined
        ? `0b${binaryDigits ?? ''}`
        : octal !== undefined
          ? `0o${octalDigits ?? ''}`
          : (decimal ?? '0');
  const magnitude = BigInt(literal.replaceAll('_', ''));
  const value = sign === '-' ? -magnitude : magnitude;
  return value === BigInt.asIntN(64, value) ? value : 'value out of range';
}
